"""What an executor offers that goes through several timesteps in one call."""

from __future__ import annotations

import abc

from .._agents.rollouts import Rollout


class Rollouts(Rollout):
    """A whole population and its environment, that act and step several times in one call.

    The loop calls :meth:`begin` where it comes from single steps, then :meth:`play`, and
    :meth:`learn` when all but the last of its timesteps were handed over.
    """

    @abc.abstractmethod
    def begin(self, *, timestep: int, timesteps: int, cut: bool) -> None:
        """Take note of where a run is.

        Args:
            timestep: The timestep that comes next.
            timesteps: Where the count of timesteps ends.
            cut: Whether the run starts from a reset, which cut what agents recorded before.
        """

    @abc.abstractmethod
    def learn(self) -> None:
        """Let the members learn, if there is enough to learn from."""
