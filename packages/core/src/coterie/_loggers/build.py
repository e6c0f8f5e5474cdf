"""From the names of loggers to loggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._config.structure import structure
from .._errors import ConfigError
from .._registry.manager import registry
from .._runs.records import RunInfo
from .interface import Logger

Checked = tuple[str, Any]


def check_loggers(
    loggers: Sequence[str | tuple[str, Mapping[str, Any]]], has_directory: bool
) -> tuple[Checked, ...]:
    """Check names and settings before anything starts; add ``"csv"`` where there is a directory.

    Raises:
        ConfigError: A setting is wrong, or something else than a name was given.
        PluginNotFound: There is no such logger.
    """
    if isinstance(loggers, str):
        raise ConfigError(f"loggers must be a list of names, got {loggers!r}; write [{loggers!r}]")
    wanted: dict[str, Any] = {"csv": None} if has_directory else {}
    for entry in loggers:
        name, settings = (entry, None) if isinstance(entry, str) else entry
        wanted[name] = settings
    checked = []
    for name, settings in wanted.items():
        plugin = registry().find("logger", name).record
        checked.append((name, structure(plugin.config, settings, source=f"logger {name!r}")))
    return tuple(checked)


def make_loggers(checked: Sequence[Checked], run: RunInfo) -> tuple[Logger, ...]:
    """Open the loggers of a run."""
    return tuple(registry().load("logger", name)(run, settings) for name, settings in checked)
