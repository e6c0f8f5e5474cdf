"""Which way the progress of a run is shown."""

from __future__ import annotations

import os
import sys
from typing import Literal

from .._errors import ConfigError
from .._registry.needs import missing_modules
from .._runs.records import RunInfo
from .interface import GuardedProgress, NoProgress, Progress

Kind = Literal["bar", "rich"]


def check_progress(kind: Kind) -> None:
    """Check, before anything starts, that a progress of this kind can be shown.

    Raises:
        ConfigError: It needs something that is not installed.
    """
    if kind == "rich" and missing_modules(["rich"]):
        raise ConfigError(
            'progress = "rich" needs rich, which can\'t be found: pip install "coterie-core[rich]"'
        )


def make_progress(
    run: RunInfo, kind: Kind, disable: bool | None, timestep: int | None = None
) -> Progress:
    """Make what shows the progress of a run on stderr.

    A table is shown in a terminal alone, and never elsewhere; in one that can't move its cursor
    there is a line in its place.

    Args:
        run: The run that is shown.
        kind: ``"bar"`` or ``"rich"``.
        disable: Whether to show nothing; ``None``: where stderr is no terminal.
        timestep: Timesteps done already; ``None``: the run begins.
    """
    done = 0 if timestep is None else timestep - run.first_timestep
    if disable or sys.stderr is None or (disable is None and not sys.stderr.isatty()):
        return NoProgress()
    if kind == "bar" or _dumb():
        from .bar import BarProgress

        return GuardedProgress(BarProgress(run, disable, done))
    if not sys.stderr.isatty():
        return NoProgress()
    from .live import LiveProgress

    return GuardedProgress(LiveProgress(run, done))


def _dumb() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() in ("", "dumb", "unknown")
