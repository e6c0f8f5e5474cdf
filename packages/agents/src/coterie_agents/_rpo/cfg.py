"""Settings of RPO. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from coterie.config import at_least

from .._ppo.cfg import PPOCfg


@frozen(kw_only=True)
class RPOCfg(PPOCfg):
    """Settings of :class:`~coterie_agents.RPO` (Rahman and Xue 2022, arXiv:2212.07536).

    Those of :class:`~coterie_agents.PPOCfg`, and

    Attributes:
        alpha: Half-width of the uniform noise that is added to the means when the policy
            learns, in the units of the actions; 0: none, which is PPO.
    """

    alpha: float = field(default=0.5, validator=at_least(0))
