"""Where stretches end: at what is done between two timesteps, or when they are long enough."""

from __future__ import annotations

from .._trainers.loop import Cues, Pause, Span

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
        self._cues, self._most, self._ahead = cues, most, ahead
        self._asked = span.first
        self._pauses: dict[int, Pause] = {}
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
        passed = [timestep for timestep in self._pauses if done < timestep <= first]
        if (
            any(Pause.ACT & self._pauses[timestep] for timestep in passed)
            or len(passed) >= _CHECKPOINTS_AHEAD
        ):
            return None
        if first - done >= self._ahead * self._size:
            return None
        last = min(first + self._size, self.stop)
        for timestep in range(first + 1, last + 1):
            if self.pause(timestep):
                return timestep
        return last if last > first else None

    def pause(self, timestep: int) -> Pause:
        """Tell what is done when so many timesteps are done, for one that can be known already."""
        while self._asked < timestep:
            self._asked += 1
            found = self._cues.pause(self._asked)
            if found:
                self._pauses[self._asked] = found
        return self._pauses.get(timestep, Pause(0))

    def forget(self, done: int) -> None:
        """Forget what was before a timestep that everybody has done."""
        self._pauses = {t: pause for t, pause in self._pauses.items() if t > done}
