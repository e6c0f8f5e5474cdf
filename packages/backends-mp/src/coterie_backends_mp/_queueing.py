"""Whether a process that stays on one core has to queue for it."""

from __future__ import annotations

from pathlib import Path

_STATISTICS = Path("/proc/self/schedstat")  # nanoseconds: on a core, in a queue for one; turns
_SPAN = 250_000_000
_SHARE = 0.3


class Queueing:
    """Looks, four times a second at most, how long this process waited for its core."""

    def __init__(self) -> None:
        self._since = 0
        self._queued = _queued()

    def found(self, now: int) -> bool:
        """Whether it queued for more than 30 % of the time since the last look.

        Args:
            now: Nanoseconds on a clock that never goes back.
        """
        if now - self._since < _SPAN:
            return False
        queued, span = _queued(), now - self._since
        found = self._since > 0 and queued - self._queued > _SHARE * span
        self._since, self._queued = now, queued
        return found


def _queued() -> int:
    """Nanoseconds that this process has waited for a core; 0 where that is not told."""
    try:
        return int(_STATISTICS.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
