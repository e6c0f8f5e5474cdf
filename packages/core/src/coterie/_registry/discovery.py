"""Find the plugins that are installed, and bring each one in without trusting it."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable
from importlib import metadata
from typing import TypeVar

from .entries import FailedPlugin, Source
from .interrupts import interrupted
from .trial import Refused

GROUP = "coterie"
DISABLE = "COTERIE_DISABLE_PLUGINS"

T = TypeVar("T")


def installed() -> list[tuple[Source, metadata.EntryPoint]]:
    """List the entry points of the group ``coterie``: Coterie's own first, then by name."""
    found = [(_source(point), point) for point in _entry_points()]
    return sorted(found, key=lambda pair: (not pair[0].first_party, pair[0].key))


def _entry_points() -> list[metadata.EntryPoint]:
    try:
        return list(metadata.entry_points(group=GROUP))
    except Exception:
        return _readable_entry_points()


def _readable_entry_points() -> list[metadata.EntryPoint]:
    """Go through the distributions one by one: the metadata of one of them is damaged."""
    points: dict[str, list[metadata.EntryPoint]] = {}
    for distribution in metadata.distributions():
        try:
            own = [point for point in distribution.entry_points if point.group == GROUP]
            points.setdefault(normalised(distribution.name), own)
        except Exception:
            continue
    return [point for own in points.values() for point in own]


def _source(point: metadata.EntryPoint) -> Source:
    try:
        name = normalised(point.dist.name) if point.dist is not None else "unknown distribution"
        version = point.dist.version if point.dist is not None else ""
    except Exception:
        name, version = "unknown distribution", ""
    return Source(plugin=point.name, distribution=name, version=version or "")


def normalised(distribution: str) -> str:
    """Write a distribution's name the one way that package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def left_out(source: Source) -> bool:
    """Say whether ``COTERIE_DISABLE_PLUGINS`` names this plugin.

    The variable holds names of entry points or distributions, separated by commas; ``all``
    means every plugin that is not Coterie's own.
    """
    words = {word.strip() for word in os.environ.get(DISABLE, "").split(",")} - {""}
    if "all" in words and not source.first_party:
        return True
    return source.plugin in words or source.distribution in {normalised(word) for word in words}


def guarded(call: Callable[[], T], source: Source, package: str) -> T | FailedPlugin:
    """Run a plugin's code, and turn whatever it raises into a record.

    Also what ends a program is survived: ``SystemExit``, and a ``KeyboardInterrupt`` that the
    plugin raises itself. A real Ctrl-C is not.

    Args:
        call: What to run.
        source: The plugin.
        package: Top-level package of the plugin.

    Returns:
        What ``call`` returned, or why it failed.

    Raises:
        KeyboardInterrupt: The user pressed Ctrl-C meanwhile.
    """
    try:
        return call()
    except BaseException as error:
        if interrupted(error, package):
            if isinstance(error, KeyboardInterrupt):
                raise
            raise KeyboardInterrupt from error
        return FailedPlugin(
            source=source,
            reason=_reason(error),
            traceback="".join(traceback.format_exception(error)),
            error=error,
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, Refused):
        return str(error)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
