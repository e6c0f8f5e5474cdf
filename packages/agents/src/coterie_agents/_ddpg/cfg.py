"""Settings of DDPG. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from coterie.config import at_least, between, more_than

from .._continuous.cfg import ContinuousCfg


@frozen(kw_only=True)
class DDPGCfg(ContinuousCfg):
    """Settings of :class:`~coterie_agents.DDPG` (Lillicrap et al. 2016, arXiv:1509.02971).

    Noise is in units of half the width of the action's bounds. Its standard deviation and the
    learning rates are those that later comparisons settled on (Fujimoto et al. 2018,
    arXiv:1802.09477); the paper's own are Ornstein-Uhlenbeck noise of 0.2, an actor's rate of
    1e-4 and ``polyak`` of 0.001.

    Attributes:
        noise: ``"gaussian"``: independent from step to step; ``"ornstein_uhlenbeck"``: drifts,
            and starts anew with each episode.
        exploration_noise: Standard deviation of the noise on actions; of Ornstein-Uhlenbeck
            noise, of what each timestep adds.
        noise_reversion: Share of Ornstein-Uhlenbeck noise that each timestep takes away, theta.
        actor_learning_rate: Step size of the actor's Adam.
        critic_learning_rate: Step size of the critic's Adam.
    """

    noise: Literal["gaussian", "ornstein_uhlenbeck"] = "gaussian"
    exploration_noise: float = field(default=0.1, validator=at_least(0))
    noise_reversion: float = field(default=0.15, validator=between(0, 1))
    actor_learning_rate: float = field(default=1e-3, validator=more_than(0))
    critic_learning_rate: float = field(default=1e-3, validator=more_than(0))
