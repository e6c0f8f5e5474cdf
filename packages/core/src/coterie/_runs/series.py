"""The values of one scalar over a run, in memory that does not grow with its length."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIMIT = 4096


class Series:
    """Values of one scalar of one member, with when they were taken.

    Past 4096 points, neighbours are merged in pairs: the later one's time, the weighted mean of
    their values, the sum of their weights. So a mean over many points stays what it was.
    """

    def __init__(self) -> None:
        self.steps = array("d")
        self.wall_times = array("d")
        self.values = array("d")
        self.weights = array("d")

    def __len__(self) -> int:
        return len(self.values)

    def add(self, steps: float, wall_time: float, value: float, weight: float) -> None:
        """Append a point.

        Args:
            steps: Environment steps of the member.
            wall_time: Seconds since the start of the run.
            value: The scalar, finite.
            weight: What it weighs in means: the episodes that it is the mean of, or 1.
        """
        if len(self) >= LIMIT:
            self._halve()
        self.steps.append(steps)
        self.wall_times.append(wall_time)
        self.values.append(value)
        self.weights.append(weight)

    def arrays(self) -> tuple[NDArray[np.float64], ...]:
        """Return environment steps, wall times, values and weights, float64 ``[points]`` each."""
        import numpy as np

        parts = (self.steps, self.wall_times, self.values, self.weights)
        return tuple(np.array(part, dtype=np.float64) for part in parts)

    def _halve(self) -> None:
        pairs = len(self) // 2
        for k in range(pairs):
            first, second = 2 * k, 2 * k + 1
            weight = self.weights[first] + self.weights[second]
            total = (
                self.values[first] * self.weights[first]
                + self.values[second] * self.weights[second]
            )
            self.steps[k], self.wall_times[k] = self.steps[second], self.wall_times[second]
            self.values[k], self.weights[k] = total / weight, weight
        for part in (self.steps, self.wall_times, self.values, self.weights):
            del part[pairs:]
