"""A table in the terminal that is kept up to date, with a row per member."""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live

from .._runs.records import MetricRow, RunInfo
from .interface import Progress, View
from .pace import Pace
from .state import state_of
from .table import lines_of

_SHORTEST = 0.25
_COST = 100  # drawing takes at most a hundredth of the time


class LiveProgress(Progress):
    """A live table on stderr, drawn from the run's own thread, between two timesteps.

    Meanwhile, what is printed appears above it: ``sys.stderr`` (and ``sys.stdout``, if that is a
    terminal as well) are others until :meth:`close`. The cursor stays visible, so that there is
    nothing to put right in a terminal whose program was killed.

    Args:
        run: The run that is shown.
        done: Timesteps of the run that were done before.
    """

    def __init__(self, run: RunInfo, done: int = 0) -> None:
        self._state = state_of(run, done)
        self._console = Console(file=sys.stderr)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
            vertical_overflow="crop",
        )
        self._leave = weakref.finalize(self, self._live.stop)
        self._begun = time.monotonic()
        self._pace = Pace(self._begun, done)
        self._next = self._begun

    @property
    def due(self) -> bool:
        """Whether the table should be drawn anew."""
        return time.monotonic() >= self._next

    def step(self) -> None:
        """Count one timestep."""
        self._state.done += 1

    def show(self, view: View) -> None:
        """Draw the table."""
        begun = time.monotonic()
        state = self._state
        state.seconds, state.pace = begun - self._begun, self._pace.at(begun, state.done)
        state.see(view)
        self._draw()
        now = time.monotonic()
        self._next = now + max(_SHORTEST, _COST * (now - begun))

    def metrics(self, rows: Sequence[MetricRow]) -> None:
        """Take the members' losses."""
        self._state.take(rows)

    def checkpoint(self, timestep: int) -> None:
        """Take note of the last checkpoint."""
        self._state.checkpoint = timestep

    def close(self) -> None:
        """Leave the table as it is, and the streams as they were."""
        self._leave()

    def _draw(self) -> None:
        width, height = self._console.size
        lines = lines_of(self._state, width, height, self._console.options.ascii_only)
        if not self._live.is_started:
            self._live.start()
            self._console.show_cursor(True)
        self._live.update(Group(*lines), refresh=True)
