"""Settings of A2C. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from coterie.config import at_least, between, more_than

from .._models.cfg import ModelCfg
from .._precision.cfg import MixedPrecision

PER_MEMBER = (
    "learning_rate",
    "discount_factor",
    "gae_lambda",
    "entropy_loss_scale",
    "value_loss_scale",
    "grad_norm_clip",
)
"""Settings that may differ between the members of one stack, and change while an agent lives."""


@frozen(kw_only=True)
class A2CCfg:
    """Settings of :class:`~coterie_agents.A2C` (Mnih et al. 2016, arXiv:1602.01783).

    Rollouts of 5 steps, discount, RMSProp's decay and the weight of the entropy are those of the
    paper; its learning rates were drawn per task, and 7e-4 with a gradient norm of at most 0.5 is
    what implementations of A2C have in common.

    Attributes:
        rollouts: Timesteps between two updates; an update is one optimiser step on this many
            steps of every instance in the scope.
        discount_factor: Discount of future rewards, gamma.
        gae_lambda: Decay of the advantage estimates, lambda (arXiv:1506.02438); 1: returns of
            up to ``rollouts`` steps, as in the paper.
        learning_rate: Step size of the optimiser, the first one where a scheduler changes it.
        learning_rate_scheduler: ``"constant"``; ``"linear"``: falls to 0 at the last timestep,
            as in the paper.
        optimizer: ``"rmsprop"``, the paper's, or ``"adam"``.
        rmsprop_decay: Decay of RMSProp's mean squares.
        optimizer_epsilon: Term that keeps the optimiser's denominator from 0, outside the root.
        grad_norm_clip: Largest Euclidean norm of the gradient; 0: no limit.
        entropy_loss_scale: Weight of the entropy bonus.
        value_loss_scale: Weight of the value loss (mean squared error).
        normalize_advantages: Whether to bring the advantages of a rollout to mean 0 and
            standard deviation 1.
        observation_normalization: Whether networks see observations scaled by their running
            mean and standard deviation: for observations of very different scales.
        value_normalization: Whether the value network learns returns scaled likewise.
        time_limit_bootstrap: Whether a truncated episode is continued with the value of its
            final observation; ``False`` treats it like a terminal state.
        mixed_precision: ``"bfloat16"`` and ``"float16"``: networks compute in 16 bits, while
            weights, losses and statistics keep 32; for float16 the loss is scaled, in each
            member for itself. For GPUs, and processors that have such arithmetic.
        model: Sizes of the built-in networks.
    """

    rollouts: int = field(default=5, validator=at_least(1))
    discount_factor: float = field(default=0.99, validator=between(0, 1))
    gae_lambda: float = field(default=1.0, validator=between(0, 1))
    learning_rate: float = field(default=7e-4, validator=more_than(0))
    learning_rate_scheduler: Literal["constant", "linear"] = "constant"
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    rmsprop_decay: float = field(default=0.99, validator=between(0, 1))
    optimizer_epsilon: float = field(default=1e-5, validator=more_than(0))
    grad_norm_clip: float = field(default=0.5, validator=at_least(0))
    entropy_loss_scale: float = field(default=0.01, validator=at_least(0))
    value_loss_scale: float = field(default=0.5, validator=at_least(0))
    normalize_advantages: bool = False
    observation_normalization: bool = False
    value_normalization: bool = False
    time_limit_bootstrap: bool = True
    mixed_precision: MixedPrecision = "off"
    model: ModelCfg = field(factory=ModelCfg)
