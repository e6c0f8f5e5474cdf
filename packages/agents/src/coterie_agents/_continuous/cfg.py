"""Sizes of the networks of DDPG, TD3 and SAC. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from coterie.config import at_least

from .._models.cfg import Activation


@frozen(kw_only=True)
class ContinuousModelCfg:
    """Sizes of an actor and of its critics, multi-layer perceptrons of their own.

    The defaults are those of Haarnoja et al. 2018 (arXiv:1812.05905, appendix D).

    Attributes:
        hidden_sizes: Units of the actor's hidden layers.
        critic_hidden_sizes: Units of each critic's; ``None``: as the actor's.
        activation: What follows each hidden layer.
    """

    hidden_sizes: tuple[int, ...] = field(
        default=(256, 256), validator=at_least(1), converter=tuple
    )
    critic_hidden_sizes: tuple[int, ...] | None = field(default=None, validator=at_least(1))
    activation: Activation = "relu"
