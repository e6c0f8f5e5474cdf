"""Settings that DDPG, TD3 and SAC have in common. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from coterie.config import at_least, between, more_than

from .._models.cfg import Activation, CnnCfg
from .._offpolicy.cfg import PER_MEMBER as OFF_POLICY_PER_MEMBER
from .._offpolicy.cfg import OffPolicyCfg

PER_MEMBER = (
    *OFF_POLICY_PER_MEMBER,
    "polyak",
    "actor_learning_rate",
    "critic_learning_rate",
)
"""Settings of all three that may differ between the members of a stack."""


@frozen(kw_only=True)
class ContinuousModelCfg:
    """Sizes of an actor and of its critics, multi-layer perceptrons of their own.

    The defaults are those of Haarnoja et al. 2018 (arXiv:1812.05905, appendix D). Weights start
    orthogonal, an actor's last layer small, so that first actions are near the middle.

    Attributes:
        hidden_sizes: Units of the actor's hidden layers.
        critic_hidden_sizes: Units of each critic's; ``None``: as the actor's.
        activation: What follows each hidden layer.
        cnn: How images are read, before the hidden layers; actor and critics each have
            convolutions of their own.
    """

    hidden_sizes: tuple[int, ...] = field(
        default=(256, 256), validator=at_least(1), converter=tuple
    )
    critic_hidden_sizes: tuple[int, ...] | None = field(default=None, validator=at_least(1))
    activation: Activation = "relu"
    cnn: CnnCfg = field(factory=CnnCfg)


@frozen(kw_only=True)
class ContinuousCfg(OffPolicyCfg):
    """Settings of actor-critic learners for real actions, beside those of :class:`OffPolicyCfg`.

    Actions are numbers from -1 to 1 wherever a setting speaks of them: the bounds of the space
    are brought to these.

    Attributes:
        memory_size: Transitions that are kept, over all instances of the scope.
        random_timesteps: Timesteps at the start whose actions are drawn uniformly.
        polyak: Share of the way that targets move towards their networks, tau.
        actor_learning_rate: Step size of the actor's Adam, the first one where a scheduler
            changes it.
        critic_learning_rate: Step size of the critics' Adam.
        model: Sizes of the networks.
    """

    memory_size: int = field(default=1_000_000, validator=at_least(1))
    random_timesteps: int = field(default=100, validator=at_least(0))
    polyak: float = field(default=0.005, validator=between(0, 1))
    actor_learning_rate: float = field(default=3e-4, validator=more_than(0))
    critic_learning_rate: float = field(default=3e-4, validator=more_than(0))
    model: ContinuousModelCfg = field(factory=ContinuousModelCfg)
