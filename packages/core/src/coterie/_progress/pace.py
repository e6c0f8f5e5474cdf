"""How fast a run is at the moment."""

from __future__ import annotations

from collections import deque

_SECONDS = 15.0
_MOST = 64


class Pace:
    """Timesteps per second over the last 15 seconds.

    Args:
        now: The time now, in seconds.
        steps: Steps that were done before.
    """

    def __init__(self, now: float, steps: int = 0) -> None:
        self._seen: deque[tuple[float, int]] = deque([(now, steps)], maxlen=_MOST)

    def at(self, now: float, steps: int) -> float:
        """Take note of the steps done until now; return the steps per second."""
        self._seen.append((now, steps))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _SECONDS:
            self._seen.popleft()
        begun, before = self._seen[0]
        return (steps - before) / max(now - begun, 1e-9)
