"""Which modules that something needs are not installed. None is imported to find out."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from .._errors import PluginError
from .records import ControllerPlugin, LoggerPlugin


def missing_modules(needs: Sequence[str]) -> list[str]:
    """List the modules of ``needs`` that are not installed."""
    return [module for module in needs if not _is_installed(module)]


def _is_installed(module: str) -> bool:
    """Whether a module can be found; neither it nor its parents are imported."""
    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def require_installed(noun: str, plugin: ControllerPlugin | LoggerPlugin) -> None:
    """Check that what a plugin needs is installed.

    Args:
        noun: What it is, for the message.
        plugin: Its record.

    Raises:
        PluginError: Something is missing; the message has the command that installs it.
    """
    missing = missing_modules(plugin.needs)
    if missing:
        how = f": {plugin.install}" if plugin.install else ""
        raise PluginError(
            f"{noun} {plugin.name!r} needs {' and '.join(missing)}, which can't be found{how}"
        )
