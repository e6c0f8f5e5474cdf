"""TD3 as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._offpolicy.agent import OffPolicyAgent
from .cfg import TD3Cfg
from .learner import TD3Learner


class TD3(OffPolicyAgent):
    """Twin delayed deep deterministic policy gradient (Fujimoto et al. 2018, arXiv:1802.09477).

    For Box actions with finite bounds. Two critics learn one target, the smaller of what their
    slowly following copies say about the target actor's action with clipped noise; the actor
    learns from the first critic, once in ``policy_delay`` steps. Images go through
    convolutions, other observations are flattened; with a ``state_space`` the critics see the
    privileged observations instead.
    """

    kind: ClassVar[str] = "td3"
    config_class: ClassVar[type[Any]] = TD3Cfg
    learner_class: ClassVar[type[Learner]] = TD3Learner
    cfg: TD3Cfg
