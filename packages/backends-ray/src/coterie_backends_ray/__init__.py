"""The trainer ``ray``: members on islands that are spread over a Ray cluster.

Names are imported when they are first used: listing plugins costs neither torch nor Ray.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._cfg import RayTrainerCfg
    from ._host import RayHost
    from ._trainer import RayTrainer

_HOME_OF = {"RayHost": "_host", "RayTrainer": "_trainer", "RayTrainerCfg": "_cfg"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-backends-ray")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_backends_ray' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = ["RayHost", "RayTrainer", "RayTrainerCfg"]
