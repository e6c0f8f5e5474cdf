"""Settings of built-in networks. Free of torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from coterie.config import at_least, between

Activation: TypeAlias = Literal["tanh", "relu", "elu", "silu"]


@frozen(kw_only=True)
class ModelCfg:
    """Sizes of a policy and a value network, two multi-layer perceptrons of their own.

    Attributes:
        hidden_sizes: Units of the policy's hidden layers; empty: a linear policy.
        value_hidden_sizes: Units of the value network's; ``None``: as the policy's.
        activation: What follows each hidden layer.
        initial_log_std: Logarithm of the standard deviation that a Gaussian policy starts with.
    """

    hidden_sizes: tuple[int, ...] = field(default=(64, 64), validator=at_least(1), converter=tuple)
    value_hidden_sizes: tuple[int, ...] | None = field(default=None, validator=at_least(1))
    activation: Activation = "tanh"
    initial_log_std: float = field(default=0.0, validator=between(-20, 5))
