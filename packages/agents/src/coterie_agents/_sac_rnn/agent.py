"""Recurrent SAC as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._offpolicy.agent import OffPolicyAgent
from .cfg import SACRNNCfg
from .learner import SACRNNLearner


class SACRNN(OffPolicyAgent):
    """Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905) with memory.

    The actor and both critics are GRUs or LSTMs with dense layers around them, each with a
    memory of its own (Ni, Eysenbach and Salakhutdinov 2022, arXiv:2110.05038). They learn from
    sequences of steps, before which they go through a burn-in, starting with nothing remembered
    (Kapturowski et al. 2019, "Recurrent Experience Replay in Distributed Reinforcement
    Learning"). Where an episode ends in a sequence, all is forgotten.

    For Box actions with finite bounds; observations are vectors, or Dicts and Tuples of them,
    which are flattened. With a ``state_space`` the critics see the privileged observations
    instead. Shared memories are not for it.

    In evaluation it remembers apart from training, from :meth:`enable_training_mode` on; who
    lets it act without a trainer tells :meth:`episodes_ended` where episodes ended.
    """

    kind: ClassVar[str] = "sac_rnn"
    config_class: ClassVar[type[Any]] = SACRNNCfg
    learner_class: ClassVar[type[Learner]] = SACRNNLearner
    cfg: SACRNNCfg
