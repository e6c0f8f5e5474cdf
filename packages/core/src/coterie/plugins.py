"""What plugin authors import: the hook marker and the records. Nothing heavy is imported here."""

from __future__ import annotations

from typing import Any

from ._registry.hookspecs import API_VERSION, CoterieSpecs, hookimpl, hookspec
from ._registry.manager import register, registry
from ._registry.records import (
    AgentPlugin,
    ControllerPlugin,
    EnvPlugin,
    LoggerPlugin,
    TrainerPlugin,
)

__all__ = [
    "API_VERSION",
    "AgentPlugin",
    "ControllerPlugin",
    "CoterieSpecs",
    "EnvPlugin",
    "LoggerPlugin",
    "TrainerPlugin",
    "hookimpl",
    "hookspec",
    "load",
    "register",
]


def load(noun: str, name: str) -> type[Any]:
    """Import the class that a name stands for.

    Args:
        noun: ``"trainer"``, ``"agent"``, ``"environment"`` or ``"logger"``.
        name: The name.

    Raises:
        ConfigError: The name is no text.
        PluginError: Nobody offers it, it can't be imported, or is not the right class.
    """
    return registry().load(noun, name)
