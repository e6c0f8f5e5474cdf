"""MAPPO for a stack of teams."""

from __future__ import annotations

from typing import ClassVar

from .._teams.critics import Critic, JointObservations, States
from .._teams.learner import TeamLearner
from .cfg import MAPPOCfg


class MAPPOLearner(TeamLearner):
    """``P`` teams whose value networks see the state.

    The arguments are those of :class:`~coterie_agents.Learner`, with spaces by actor.

    Raises:
        ConfigError: A space or a module can't be used.
        ValueError: Settings differ that may not.
    """

    kind: ClassVar[str] = "MAPPO"
    cfg: MAPPOCfg
    cfgs: tuple[MAPPOCfg, ...]

    def make_critic(self) -> Critic:
        """Let value networks see the state, or the observations of all actors."""
        if self.state_space is None:
            return JointObservations(self.observation_space)
        return States(self.actors, self.state_space)
