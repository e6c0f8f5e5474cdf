"""From the names of loggers to loggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from .._config.structure import structure
from .._errors import ConfigError
from .._registry.manager import registry
from .._registry.needs import require_installed
from .._runs.records import RunInfo
from .group import Loggers
from .interface import Logger

Checked = tuple[str, Any]


def check_loggers(
    loggers: Sequence[str | tuple[str, Mapping[str, Any]]], has_directory: bool
) -> tuple[Checked, ...]:
    """Check names and settings before anything starts; add ``"csv"`` where there is a directory.

    Raises:
        ConfigError: A setting is wrong, something else than a name was given, or a logger
            needs a directory and there is none.
        PluginNotFound: There is no such logger.
        PluginError: One can't be imported, or something that it needs is not installed.
    """
    if isinstance(loggers, str):
        raise ConfigError(f"loggers must be a list of names, got {loggers!r}; write [{loggers!r}]")
    wanted: dict[str, Any] = {"csv": None} if has_directory else {}
    for entry in loggers:
        name, settings = _named(entry)
        wanted[name] = settings
    checked = []
    for name, settings in wanted.items():
        plugin = registry().find("logger", name).record
        checked.append((name, structure(plugin.config, settings, source=f"logger {name!r}")))
        if registry().load("logger", name).needs_directory and not has_directory:
            raise ConfigError(f"logger {name!r} writes into the run's directory; give a run_dir")
        require_installed("logger", plugin)
    return tuple(checked)


def _named(entry: Any) -> tuple[str, Any]:
    if isinstance(entry, str):
        return entry, None
    if isinstance(entry, tuple | list) and len(entry) == 2:
        return entry[0], entry[1]
    raise ConfigError(f"a logger is a name or a pair of name and settings, got {entry!r}")


def make_loggers(
    checked: Sequence[Checked],
    run: RunInfo,
    positions: Mapping[str, Mapping[str, Any]] | None = None,
) -> Loggers:
    """Open the loggers of a run; when one fails, those before it are closed.

    Args:
        checked: Names and settings.
        run: The run.
        positions: Where each stood in the checkpoint that the run goes on from, by name, as
            :meth:`Loggers.position` told; ``None``: it starts anew.
    """
    with ExitStack() as opened:
        loggers = []
        for name, settings in checked:
            logger: Logger = registry().load("logger", name)(run, settings)
            opened.callback(logger.close)
            if name in (positions or {}):
                logger.resume((positions or {})[name])
            logger.start()
            loggers.append((name, logger))
        opened.pop_all()
    return Loggers(loggers)
