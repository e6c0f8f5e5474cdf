"""How long each part of a timestep takes, from one writing of metrics to the next."""

from __future__ import annotations

from collections.abc import Mapping

_MICROSECONDS = 1e6


class TimeParts:
    """Turns seconds since the start of a run into microseconds per timestep since the last time.

    Args:
        first_timestep: Timesteps done when the run starts.
    """

    def __init__(self, first_timestep: int) -> None:
        self._timestep = first_timestep
        self._seconds: Mapping[str, float] = {}
        self._wall_time = 0.0

    def take(
        self, seconds: Mapping[str, float], wall_time: float, timestep: int
    ) -> dict[str, float]:
        """Average over the timesteps since the last call.

        Args:
            seconds: Seconds per part since the start of the run; a part with ``/`` in its name
                is contained in the one before it.
            wall_time: Seconds since the start of the run.
            timestep: Timesteps done.

        Returns:
            Microseconds per timestep: ``"time/environment"`` and so on, and ``"time/other"`` for
            what is in no part; empty if there was no timestep.
        """
        steps = timestep - self._timestep
        if steps <= 0:
            return {}
        spent = {name: value - self._seconds.get(name, 0.0) for name, value in seconds.items()}
        whole = sum(value for name, value in spent.items() if "/" not in name)
        spent["other"] = max(0.0, wall_time - self._wall_time - whole)
        self._timestep, self._seconds, self._wall_time = timestep, dict(seconds), wall_time
        return {f"time/{name}": value / steps * _MICROSECONDS for name, value in spent.items()}
