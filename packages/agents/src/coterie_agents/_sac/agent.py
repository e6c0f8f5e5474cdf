"""SAC as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._offpolicy.agent import OffPolicyAgent
from .cfg import SACCfg
from .learner import SACLearner


class SAC(OffPolicyAgent):
    """Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905).

    For Box actions with finite bounds. The policy is normally distributed, squashed by tanh; two
    critics learn the smaller of what their slowly following copies say, entropy included; the
    temperature is learned so that the policy keeps a wanted entropy, or fixed. Images go
    through convolutions, other observations are flattened; with a ``state_space`` the critics
    see the privileged observations instead.
    """

    kind: ClassVar[str] = "sac"
    config_class: ClassVar[type[Any]] = SACCfg
    learner_class: ClassVar[type[Learner]] = SACLearner
    cfg: SACCfg
