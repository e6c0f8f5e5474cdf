"""What one optimiser step of an off-policy learner learns from."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen


@frozen(kw_only=True, eq=False)
class Samples:
    """Transitions of every member, ``[P, B, ...]`` each.

    Attributes:
        observations: Inputs of networks, scaled.
        next_observations: Inputs for where the step (the last of ``n``) ended.
        states: Inputs of critics: of the privileged observations where there are any; else the
            same object as ``observations``.
        next_states: Likewise for where the step ended.
        actions: Stored actions.
        rewards: Rewards, discounted and added up over ``n`` steps, ``[P, B]``.
        terminated: bool ``[P, B]``: the step (the last of ``n``) ended in a terminal state.
        discounts: Factor of the value behind the step: gamma to the number of steps, ``[P, B]``.
        weights: Importance weights ``[P, B]``; ``None``: all are 1.
        leaves: Where the samples lie in a prioritised memory.
    """

    observations: Any
    next_observations: Any
    states: Any
    next_states: Any
    actions: torch.Tensor
    rewards: torch.Tensor
    terminated: torch.Tensor
    discounts: torch.Tensor
    weights: torch.Tensor | None
    leaves: torch.Tensor | None


@frozen(kw_only=True, eq=False)
class Learned:
    """What one optimiser step found.

    Attributes:
        scalars: Numbers of each member by name, ``[P]`` each; averaged over an update.
        errors: Temporal-difference errors ``[P, B]``, for priorities.
    """

    scalars: dict[str, torch.Tensor]
    errors: torch.Tensor
