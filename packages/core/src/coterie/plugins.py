"""What plugin authors import: the hook marker and the records. Nothing heavy is imported here."""

from __future__ import annotations

from ._registry.hookspecs import API_VERSION, CoterieSpecs, hookimpl, hookspec
from ._registry.manager import register
from ._registry.records import AgentPlugin, EnvPlugin, LoggerPlugin, TrainerPlugin

__all__ = [
    "API_VERSION",
    "AgentPlugin",
    "CoterieSpecs",
    "EnvPlugin",
    "LoggerPlugin",
    "TrainerPlugin",
    "hookimpl",
    "hookspec",
    "register",
]
