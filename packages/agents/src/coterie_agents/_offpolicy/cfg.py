"""Settings that all off-policy learners have. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from coterie.config import at_least, between, more_than

from .._precision.cfg import MixedPrecision

PER_MEMBER = (
    "discount_factor",
    "grad_norm_clip",
    "priority_exponent",
    "importance_exponent",
    "importance_timesteps",
)
"""Settings of every off-policy learner that may differ between the members of a stack."""


@frozen(kw_only=True)
class OffPolicyCfg:
    """Settings of learners that sample from a replay memory.

    Attributes:
        memory_size: Transitions that are kept, over all instances of the scope.
        memory: ``"uniform"``: every transition is as likely; ``"prioritized"``: those with large
            errors are likelier (Schaul et al. 2016, arXiv:1511.05952).
        priority_exponent: How much priorities count, from 0 (not at all) to 1.
        importance_exponent: Exponent of the importance weights at the start.
        importance_timesteps: Timesteps over which it rises to 1.
        checkpoint_memory: Whether the memory is part of what is saved. Without it checkpoints are
            small, but an agent that is loaded starts with an empty memory.
        batch_size: Transitions in one optimiser step.
        learning_starts: Timesteps that the memory must hold before the first update.
        update_interval: Timesteps between two updates.
        gradient_steps: Optimiser steps per update.
        n_step: Steps that a target looks ahead, at most: fewer where an episode ends before.
        discount_factor: Discount of future rewards, gamma.
        grad_norm_clip: Largest Euclidean norm of a gradient; 0: no limit.
        learning_rate_scheduler: ``"constant"``, or ``"linear"``: falls to 0 at the last timestep.
        adam_epsilon: Term that keeps Adam's denominator from 0.
        random_timesteps: Timesteps at the start whose actions are drawn uniformly.
        observation_normalization: Whether networks see observations scaled by their running
            mean and standard deviation.
        time_limit_bootstrap: Whether a truncated episode is continued with the value of its
            final observation; ``False`` treats it like a terminal state.
        mixed_precision: ``"bfloat16"`` and ``"float16"``: networks compute in 16 bits, while
            weights, losses and statistics keep 32; for float16 the loss is scaled, in each
            member for itself. For GPUs, and processors that have such arithmetic.
    """

    memory_size: int = field(default=100_000, validator=at_least(1))
    memory: Literal["uniform", "prioritized"] = "uniform"
    priority_exponent: float = field(default=0.6, validator=between(0, 1))
    importance_exponent: float = field(default=0.4, validator=between(0, 1))
    importance_timesteps: int = field(default=100_000, validator=at_least(1))
    checkpoint_memory: bool = True
    batch_size: int = field(default=256, validator=at_least(1))
    learning_starts: int = field(default=100, validator=at_least(2))
    update_interval: int = field(default=1, validator=at_least(1))
    gradient_steps: int = field(default=1, validator=at_least(1))
    n_step: int = field(default=1, validator=at_least(1))
    discount_factor: float = field(default=0.99, validator=between(0, 1))
    grad_norm_clip: float = field(default=0.0, validator=at_least(0))
    learning_rate_scheduler: Literal["constant", "linear"] = "constant"
    adam_epsilon: float = field(default=1e-8, validator=more_than(0))
    random_timesteps: int = field(default=0, validator=at_least(0))
    observation_normalization: bool = False
    time_limit_bootstrap: bool = True
    mixed_precision: MixedPrecision = "off"
