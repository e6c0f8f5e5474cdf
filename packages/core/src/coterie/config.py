"""For authors of plugins: settings as attrs classes, checked strictly. Free of torch."""

from __future__ import annotations

from ._agents.cfg import AgentCfg
from ._config.structure import structure, unstructure
from ._config.validators import at_least, between, more_than
from ._loggers.cfg import LoggerCfg
from ._nearest import did_you_mean, nearest
from ._trainers.cfg import TrainerCfg

__all__ = [
    "AgentCfg",
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
