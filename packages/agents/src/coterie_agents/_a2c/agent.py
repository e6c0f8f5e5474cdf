"""A2C as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.agent import LearnerAgent
from .._learning.interface import Learner
from .cfg import A2CCfg
from .learner import A2CLearner


class A2C(LearnerAgent):
    """Advantage actor-critic (Mnih et al. 2016, arXiv:1602.01783), with synchronous instances.

    One optimiser step per short rollout. Action spaces, observations, privileged observations
    and networks of your own are as for :class:`~coterie_agents.PPO`; the settings are those of
    :class:`~coterie_agents.A2CCfg`.

    Raises:
        ConfigError: The settings, a space or a module can't be used.
    """

    kind: ClassVar[str] = "a2c"
    config_class: ClassVar[type[Any]] = A2CCfg
    learner_class: ClassVar[type[Learner]] = A2CLearner
    cfg: A2CCfg
    _learner: A2CLearner

    @property
    def learning_rate(self) -> float:
        """The learning rate now; a scheduler may have changed it."""
        return float(self._learner.optimizer.learning_rate[0])
