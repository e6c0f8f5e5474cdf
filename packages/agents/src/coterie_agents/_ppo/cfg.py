"""Settings of PPO. Free of torch."""

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
    "ratio_clip",
    "value_clip",
    "entropy_loss_scale",
    "value_loss_scale",
    "grad_norm_clip",
    "kl_target",
    "kl_threshold",
)
"""Settings that may differ between the members of one stack, and change while an agent lives."""


@frozen(kw_only=True)
class PPOCfg:
    """Settings of :class:`~coterie_agents.PPO` (Schulman et al. 2017, arXiv:1707.06347).

    Attributes:
        rollouts: Timesteps between two updates; an update learns from this many steps of every
            instance in the scope.
        learning_epochs: Passes over the rollout per update.
        mini_batches: Parts that each pass is cut into, one optimiser step per part.
        discount_factor: Discount of future rewards, gamma.
        gae_lambda: Decay of the advantage estimates, lambda (arXiv:1506.02438).
        learning_rate: Step size of Adam, the first one where a scheduler changes it.
        learning_rate_scheduler: ``"constant"``; ``"linear"``: falls to 0 at the last timestep;
            ``"kl_adaptive"``: after each epoch divided by 1.5 if the policy moved more than
            twice ``kl_target``, multiplied by 1.5 if less than half of it (arXiv:1707.02286).
        kl_target: Wanted Kullback-Leibler divergence per epoch, for ``"kl_adaptive"``.
        learning_rate_min: Lower bound of ``"kl_adaptive"``.
        learning_rate_max: Upper bound of ``"kl_adaptive"``.
        kl_threshold: An update ends early once a mini-batch is further than this from the
            policy that acted; 0: never.
        grad_norm_clip: Largest Euclidean norm of the gradient; 0: no limit.
        adam_epsilon: Term that keeps Adam's denominator from 0.
        ratio_clip: Half-width of the interval around 1 that the probability ratio is clipped to.
        value_clip: Half-width of the interval around the old value that a new value is clipped
            to; 0: not clipped.
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
        compile_update: Whether ``torch.compile`` makes a program of the gradient of a
            mini-batch: a quarter less time for it, after seconds of compiling. It needs a C++
            compiler, and built-in perceptrons with tanh, relu or elu. On a CUDA device, where it
            needs Triton, the program becomes a CUDA graph.
        model: Sizes of the built-in networks.
    """

    rollouts: int = field(default=128, validator=at_least(1))
    learning_epochs: int = field(default=8, validator=at_least(1))
    mini_batches: int = field(default=8, validator=at_least(1))
    discount_factor: float = field(default=0.99, validator=between(0, 1))
    gae_lambda: float = field(default=0.95, validator=between(0, 1))
    learning_rate: float = field(default=1e-3, validator=more_than(0))
    learning_rate_scheduler: Literal["constant", "linear", "kl_adaptive"] = "constant"
    kl_target: float = field(default=0.01, validator=more_than(0))
    learning_rate_min: float = field(default=1e-6, validator=more_than(0))
    learning_rate_max: float = field(default=1e-2, validator=more_than(0))
    kl_threshold: float = field(default=0.0, validator=at_least(0))
    grad_norm_clip: float = field(default=0.5, validator=at_least(0))
    adam_epsilon: float = field(default=1e-5, validator=more_than(0))
    ratio_clip: float = field(default=0.2, validator=more_than(0))
    value_clip: float = field(default=0.0, validator=at_least(0))
    entropy_loss_scale: float = field(default=0.0, validator=at_least(0))
    value_loss_scale: float = field(default=0.5, validator=at_least(0))
    normalize_advantages: bool = True
    observation_normalization: bool = False
    value_normalization: bool = True
    time_limit_bootstrap: bool = True
    mixed_precision: MixedPrecision = "off"
    compile_update: bool = False
    model: ModelCfg = field(factory=ModelCfg)
