"""DDPG as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._offpolicy.agent import OffPolicyAgent
from .cfg import DDPGCfg
from .learner import DDPGLearner


class DDPG(OffPolicyAgent):
    """Deep deterministic policy gradient (Lillicrap et al. 2016, arXiv:1509.02971).

    For Box actions with finite bounds. A critic learns from slowly following copies of actor
    and critic; the actor climbs what the critic says; noise on the actions explores. Images
    go through convolutions, other observations are flattened; with a ``state_space`` the critic
    sees the privileged observations instead.
    """

    kind: ClassVar[str] = "ddpg"
    config_class: ClassVar[type[Any]] = DDPGCfg
    learner_class: ClassVar[type[Learner]] = DDPGLearner
    cfg: DDPGCfg
