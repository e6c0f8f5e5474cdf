"""Settings of DQN. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from coterie.config import at_least, between, more_than

from .._models.cfg import Activation, CnnCfg
from .._offpolicy.cfg import PER_MEMBER as COMMON
from .._offpolicy.cfg import OffPolicyCfg

PER_MEMBER = (
    *COMMON,
    "learning_rate",
    "target_update_rate",
    "initial_epsilon",
    "final_epsilon",
    "exploration_timesteps",
)
"""Settings that may differ between the members of one stack, and change while an agent lives."""


@frozen(kw_only=True)
class QModelCfg:
    """Sizes of a Q-network.

    Attributes:
        hidden_sizes: Units of the hidden layers; empty: linear.
        activation: What follows each hidden layer.
        cnn: How images are read, before the hidden layers.
    """

    hidden_sizes: tuple[int, ...] = field(
        default=(128, 128), validator=at_least(1), converter=tuple
    )
    activation: Activation = "relu"
    cnn: CnnCfg = field(factory=CnnCfg)


@frozen(kw_only=True)
class DQNCfg(OffPolicyCfg):
    """Settings of :class:`~coterie_agents.DQN` (Mnih et al. 2015, doi:10.1038/nature14236).

    Beside those of :class:`~coterie_agents.OffPolicyCfg`:

    Attributes:
        double: Whether the learning network chooses the next action, which the target network
            then values (van Hasselt et al. 2016, arXiv:1509.06461). Without it the target
            network does both, as it was published first, and values are overestimated.
        dueling: Whether the network's last layer gives a value and an advantage of each action,
            which are added up (Wang et al. 2016, arXiv:1511.06581).
        loss: ``"huber"``: quadratic for errors up to 1, linear beyond; ``"mse"``: squared error.
        learning_rate: Step size of Adam, the first one where a scheduler changes it.
        target_update_rate: Share of the way that the target network goes to the learning one in
            an update of it; 1 copies it.
        target_update_interval: Optimiser steps between two updates of the target network.
        initial_epsilon: Probability of a random action at the start.
        final_epsilon: Probability of a random action in the end.
        exploration_timesteps: Timesteps over which it falls from the one to the other.
        model: Size of the built-in network.
    """

    double: bool = True
    dueling: bool = False
    loss: Literal["huber", "mse"] = "huber"
    learning_rate: float = field(default=1e-3, validator=more_than(0))
    target_update_rate: float = field(default=1.0, validator=between(0, 1))
    target_update_interval: int = field(default=500, validator=at_least(1))
    initial_epsilon: float = field(default=1.0, validator=between(0, 1))
    final_epsilon: float = field(default=0.05, validator=between(0, 1))
    exploration_timesteps: int = field(default=10_000, validator=at_least(1))
    model: QModelCfg = field(factory=QModelCfg)
