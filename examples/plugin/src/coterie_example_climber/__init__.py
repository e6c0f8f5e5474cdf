"""An example of a plugin for Coterie: an agent, a trainer, an environment and a hook.

Names are imported when they are first used. Python imports a package before any module in it, and
Coterie imports ``_plugin`` whenever it lists plugins: that must not bring torch along.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._agent import Climber
    from ._cfg import ClimberCfg, TimedTrainerCfg
    from ._env import PointAdapter, PointEnv
    from ._executor import TimedExecutor
    from ._trainer import TimedTrainer

_HOME_OF = {
    "Climber": "_agent",
    "ClimberCfg": "_cfg",
    "PointAdapter": "_env",
    "PointEnv": "_env",
    "TimedExecutor": "_executor",
    "TimedTrainer": "_trainer",
    "TimedTrainerCfg": "_cfg",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)


__all__ = [
    "Climber",
    "ClimberCfg",
    "PointAdapter",
    "PointEnv",
    "TimedExecutor",
    "TimedTrainer",
    "TimedTrainerCfg",
]
