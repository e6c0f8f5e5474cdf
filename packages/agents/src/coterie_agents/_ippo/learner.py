"""IPPO for a stack of teams."""

from __future__ import annotations

from typing import ClassVar

from .._teams.critics import Critic, OwnObservations
from .._teams.learner import TeamLearner


class IPPOLearner(TeamLearner):
    """``P`` teams whose actors learn PPO on their own observations.

    The arguments are those of :class:`~coterie_agents.Learner`, with spaces by actor.

    Raises:
        ConfigError: A space or a module can't be used.
        ValueError: Settings differ that may not.
    """

    kind: ClassVar[str] = "IPPO"

    def make_critic(self) -> Critic:
        """Let value networks see the observations of their actors."""
        return OwnObservations(self.actors)
