"""RPO as an agent."""

from __future__ import annotations

from typing import Any, ClassVar

from .._learning.interface import Learner
from .._ppo.agent import PPO
from .cfg import RPOCfg
from .learner import RPOLearner


class RPO(PPO):
    """Robust policy optimisation (Rahman and Xue 2022, arXiv:2212.07536).

    PPO for Box actions that keeps exploring: each time the policy's log-probabilities are
    computed to learn from, uniform noise from -``alpha`` to ``alpha`` is added to the means. How
    it acts, and the probabilities that it acted with, are PPO's. The scalars ``kl`` and
    ``clip_fraction`` are those of the disturbed policy, so with ``kl_threshold`` or
    ``"kl_adaptive"`` leave room for the noise.

    The arguments are those of :class:`~coterie_agents.PPO`, the settings those of
    :class:`~coterie_agents.RPOCfg`.

    Raises:
        ConfigError: The action space is no Box, or the settings, a space or a module can't be
            used.
    """

    kind: ClassVar[str] = "rpo"
    config_class: ClassVar[type[Any]] = RPOCfg
    learner_class: ClassVar[type[Learner]] = RPOLearner
    cfg: RPOCfg
    _learner: RPOLearner
