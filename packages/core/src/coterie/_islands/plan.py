"""Where stretches end: at what is done between two timesteps, or when they are long enough."""

from __future__ import annotations

from .._trainers.loop import Ahead, Cues, Pause, Span

_CHECKPOINTS_AHEAD = 3
_SECONDS = 1.0
_FIRST = 16


class Plan:
    """Cuts a run into stretches.

    An island never goes beyond a timestep at which members may change before everybody has been
    there. Beyond a checkpoint it may go: it hands its state over on the way.

    Args:
        span: The timesteps of the run.
        cues: Tell what is done when.
        most: The most timesteps in a stretch; ``None``: as many as take about a second.
        ahead: The most stretches between an island and the slowest.

    Attributes:
        stop: The timestep that the run ends at.
    """

    def __init__(self, span: Span, cues: Cues, most: int | None, ahead: int) -> None:
        self.stop = span.stop
        self._most, self._ahead = most, ahead
        self._known = Ahead(cues.pause, span.first)
        self._size = _FIRST if most is None else most

    def measured(self, steps: int, seconds: float) -> None:
        """Take note of how long a stretch took, for the length of those that come."""
        if self._most is None and steps:
            fitting = int(steps * _SECONDS / max(seconds, 1e-6))
            self._size = max(1, min(fitting, 4 * self._size))

    def cut(self, first: int, done: int) -> int | None:
        """Tell where a stretch ends.

        Args:
            first: Where it begins.
            done: How many timesteps everybody has done.

        Returns:
            Where it ends; ``None``: it can't begin yet.
        """
        passed = self._known.between(done, first)
        if any(Pause.ACT & pause for pause in passed) or len(passed) >= _CHECKPOINTS_AHEAD:
            return None
        if first - done >= self._ahead * self._size:
            return None
        last = min(first + self._size, self.stop)
        return self._known.next_pause(first, last) if last > first else None

    def pause(self, timestep: int) -> Pause:
        """Tell what is done when so many timesteps are done, for one that can be known already."""
        return self._known.pause(timestep)

    def forget(self, done: int) -> None:
        """Forget what was before a timestep that everybody has done."""
        self._known.forget(done)
