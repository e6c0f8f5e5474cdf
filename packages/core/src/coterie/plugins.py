"""What plugin authors import: the hook marker and the records. Nothing heavy is imported here."""

from __future__ import annotations

from ._registry.hookspecs import CoterieSpecs, hookimpl, hookspec
from ._registry.records import AgentPlugin, EnvPlugin, LoggerPlugin, TrainerPlugin

API_VERSION = 1
"""Version of the plugin interface. A plugin module may set ``coterie_api_version`` to the one
that it was written for; another number keeps it from being loaded, with a clear reason."""

__all__ = [
    "API_VERSION",
    "AgentPlugin",
    "CoterieSpecs",
    "EnvPlugin",
    "LoggerPlugin",
    "TrainerPlugin",
    "hookimpl",
    "hookspec",
]
