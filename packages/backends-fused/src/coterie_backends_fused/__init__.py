"""The trainer ``fused``: agents of one architecture act and learn as one, in one process.

Names are imported when they are first used: listing plugins costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._cfg import FusedTrainerCfg
    from ._executor import FusedExecutor
    from ._group import FusedGroup
    from ._placement import Placement
    from ._trainer import FusedTrainer

_HOME_OF = {
    "FusedExecutor": "_executor",
    "FusedGroup": "_group",
    "FusedTrainer": "_trainer",
    "FusedTrainerCfg": "_cfg",
    "Placement": "_placement",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-backends-fused")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_backends_fused' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = ["FusedExecutor", "FusedGroup", "FusedTrainer", "FusedTrainerCfg", "Placement"]
