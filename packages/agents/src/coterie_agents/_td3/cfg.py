"""Settings of TD3. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from coterie.config import at_least

from .._continuous.cfg import ContinuousCfg


@frozen(kw_only=True)
class TD3Cfg(ContinuousCfg):
    """Settings of :class:`~coterie_agents.TD3` (Fujimoto et al. 2018, arXiv:1802.09477).

    Noise, delay and polyak are the paper's; sizes, learning rates and batches those that its
    authors use since. Noise is in units of half the width of the action's bounds.

    Attributes:
        exploration_noise: Standard deviation of the noise on actions.
        target_noise: Standard deviation of the noise on the target actor's actions.
        target_noise_clip: Largest size of that noise.
        policy_delay: Steps of the critics for each step of the actor and the targets.
    """

    exploration_noise: float = field(default=0.1, validator=at_least(0))
    target_noise: float = field(default=0.2, validator=at_least(0))
    target_noise_clip: float = field(default=0.5, validator=at_least(0))
    policy_delay: int = field(default=2, validator=at_least(1))
