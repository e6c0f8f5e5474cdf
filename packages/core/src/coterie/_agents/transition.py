"""What one environment step teaches a member."""

from __future__ import annotations

import torch
from attrs import field, frozen

from .._types import Infos, Tree


@frozen(kw_only=True, eq=False)
class Transition:
    """One environment step of ``n`` instances (a scope, or the whole environment).

    Attributes:
        observations: What the actions answered, tensors ``[n, ...]``.
        actions: What was done, tensors ``[n, ...]``.
        rewards: float32 ``[n]``.
        next_observations: Where the step ended, tensors ``[n, ...]``. In an instance whose
            episode ended this is its true final observation, never the first of the next one.
        terminated: bool ``[n]``: the episode ended in a terminal state, whose value is 0.
        truncated: bool ``[n]``: the episode was cut off; bootstrap from ``next_observations``.
        valid: bool ``[n]``: ``False`` marks a step that only reset the instance
            (next-step autoreset). It is not experience: never learn from it.
        all_valid: Whether the environment never makes such steps, so ``valid`` need not be read.
        states: Privileged observations that belong to ``observations``, or ``None``.
        next_states: Privileged observations that belong to ``next_observations``, or ``None``.
        infos: What the environment told of these instances.
    """

    observations: Tree
    actions: Tree
    rewards: torch.Tensor
    next_observations: Tree
    terminated: torch.Tensor
    truncated: torch.Tensor
    valid: torch.Tensor
    all_valid: bool = True
    states: Tree | None = None
    next_states: Tree | None = None
    infos: Infos = field(factory=dict)

    @property
    def starts(self) -> torch.Tensor:
        """bool ``[n]``: what the next actions answer begins an episode."""
        if self.all_valid or not isinstance(self.valid, torch.Tensor):
            return self.done
        return self.done | ~self.valid

    @property
    def done(self) -> torch.Tensor:
        """bool ``[n]``: the episode ended, one way or the other."""
        return self.terminated | self.truncated
