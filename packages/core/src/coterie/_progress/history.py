"""What a value was in the course of a run, in little memory, as a row of small bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_MOST = 128
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-=+*%#"


class History:
    """The course of a value that is looked at again and again.

    A point is the mean of some values in turn. Where there would be more than 128 points,
    neighbours are merged, and the points to come are means of twice as many values.
    """

    def __init__(self) -> None:
        self._points: list[float] = []
        self._share = 1
        self._total, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """Take the next value; what is not finite is passed over."""
        if not math.isfinite(value):
            return
        self._total += value
        self._count += 1
        if self._count == self._share:
            self._points.append(self._total / self._count)
            self._total, self._count = 0.0, 0
            if len(self._points) == _MOST:
                pairs = zip(self._points[::2], self._points[1::2], strict=True)
                self._points = [(one + other) / 2 for one, other in pairs]
                self._share *= 2

    def points(self) -> list[float]:
        """The means of equal shares of the values so far, at most 128; the last may be smaller."""
        return self._points + ([self._total / self._count] if self._count else [])


def sparkline(points: Sequence[float], width: int, ascii_only: bool = False) -> str:
    """Draw values as a row of bars, the lowest value as the lowest bar.

    Args:
        points: The values; where there are more than ``width``, several share a bar.
        width: Number of characters at most.
        ascii_only: Whether to use characters that every terminal has.
    """
    count = min(len(points), width)
    bounds = [len(points) * k // count for k in range(count + 1)] if count else [0]
    means = [math.fsum(points[start:stop]) / (stop - start) for start, stop in pairwise(bounds)]
    signs = _ASCII if ascii_only else _BLOCKS
    halves = [value / 2 for value in means]  # their differences are never too large
    low, high = min(halves, default=0.0), max(halves, default=0.0)
    if not high > low:
        return signs[0] * count
    last = len(signs) - 1
    return "".join(signs[round((value - low) / (high - low) * last)] for value in halves)
