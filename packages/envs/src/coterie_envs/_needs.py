"""Simulators that may be missing, and the command that installs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from coterie import ConfigError


def install(extra: str) -> str:
    """The command that installs an extra of this package."""
    return f'pip install "coterie-envs[{extra}]"'


def installed(module: str) -> Any | None:
    """Import a module where that works; ``None`` otherwise."""
    try:
        return import_module(module)
    except ImportError:
        return None


def need(module: str, what: str, how: str) -> Any:
    """Import a simulator.

    Args:
        module: Name of its module.
        what: What is to be made, for the message.
        how: What to do where it is missing.

    Raises:
        ConfigError: It can't be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{what} needs {module.partition('.')[0]}, which can't be imported ({error}): {how}"
        ) from error
