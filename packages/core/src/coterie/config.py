"""For authors of plugins: settings as attrs classes, checked strictly.

Free of torch, and of cattrs until something is structured: plugins are listed without either.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._agents.cfg import AgentCfg
from ._config.validators import at_least, between, more_than
from ._controllers.cfg import ControllerCfg
from ._loggers.cfg import LoggerCfg
from ._nearest import did_you_mean, nearest
from ._trainers.cfg import TrainerCfg

if TYPE_CHECKING:
    from ._config.structure import structure, unstructure

_LATER = ("structure", "unstructure")


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'coterie.config' has no attribute {name!r}")
    return getattr(import_module("._config.structure", __package__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AgentCfg",
    "ControllerCfg",
    "LoggerCfg",
    "TrainerCfg",
    "at_least",
    "between",
    "did_you_mean",
    "more_than",
    "nearest",
    "structure",
    "unstructure",
]
