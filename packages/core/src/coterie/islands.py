"""For authors of trainers that spread members over machines: islands, and what carries them.

Free of torch until something but the configuration is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._islands.cfg import IslandTrainerCfg

if TYPE_CHECKING:
    from ._islands.errors import IslandLost
    from ._islands.far import FarEnv, far_env
    from ._islands.host import IslandHost
    from ._islands.island import Island
    from ._islands.records import Answer
    from ._islands.trainer import IslandTrainer

_HOMES = {
    "Answer": "records",
    "FarEnv": "far",
    "Island": "island",
    "IslandHost": "host",
    "IslandLost": "errors",
    "IslandTrainer": "trainer",
    "far_env": "far",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'coterie.islands' has no attribute {name!r}")
    return getattr(import_module(f"._islands.{_HOMES[name]}", __package__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Answer",
    "FarEnv",
    "Island",
    "IslandHost",
    "IslandLost",
    "IslandTrainer",
    "IslandTrainerCfg",
    "far_env",
]
