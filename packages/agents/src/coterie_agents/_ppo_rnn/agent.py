"""Recurrent PPO as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.agent import LearnerAgent
from .._learning.interface import Learner
from .cfg import PPORNNCfg
from .learner import PPORNNLearner


class PPORNN(LearnerAgent):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) with memory.

    Policy and value network are GRUs or LSTMs with dense layers around them: for tasks whose
    observations don't tell everything. What they remember starts with each episode. Rollouts
    are cut into sequences, which are learned from as a whole; an episode that ends in one is
    followed by another, with nothing remembered.

    Action spaces are those of :class:`~coterie_agents.PPO`; observations are vectors, or Dicts
    and Tuples of them, which are flattened. With a ``state_space`` the value network sees the
    privileged observations instead.

    In evaluation it remembers apart from training, from :meth:`enable_training_mode` on; who
    lets it act without a trainer tells :meth:`episodes_ended` where episodes ended.

    The arguments are those of :class:`~coterie_agents.PPO`, without modules of your own; the
    settings are those of :class:`~coterie_agents.PPORNNCfg`.

    Raises:
        ConfigError: The settings or a space can't be used.
    """

    kind: ClassVar[str] = "ppo_rnn"
    config_class: ClassVar[type[Any]] = PPORNNCfg
    learner_class: ClassVar[type[Learner]] = PPORNNLearner
    cfg: PPORNNCfg
    _learner: PPORNNLearner

    @property
    def learning_rate(self) -> float:
        """The learning rate now; a scheduler may have changed it."""
        return float(self._learner.optimizer.learning_rate[0])
