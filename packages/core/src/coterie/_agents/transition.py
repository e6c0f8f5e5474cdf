"""What one environment step teaches a member."""

from __future__ import annotations

from typing import Generic, TypeAlias

import torch
from attrs import field, frozen
from typing_extensions import TypeVar

from .._types import Infos, Tree

Each = TypeVar("Each", default=torch.Tensor)
"""What there is one of per instance, or per instance and actor."""


@frozen(kw_only=True, eq=False)
class Transition(Generic[Each]):
    """One environment step of ``n`` instances (a scope, or the whole environment).

    In a multi-agent environment observations, actions, rewards, flags and ``valid`` are dicts by
    actor of such tensors (:data:`~coterie.TeamTransition`).

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
        ended: For a team, bool ``[n]``: the instance's episode ended in this step, as its last
            actors did; ``None`` otherwise.
    """

    observations: Tree
    actions: Tree
    rewards: Each
    next_observations: Tree
    terminated: Each
    truncated: Each
    valid: Each
    all_valid: bool = True
    states: Tree | None = None
    next_states: Tree | None = None
    infos: Infos = field(factory=dict)
    ended: torch.Tensor | None = None

    @property
    def starts(self) -> torch.Tensor:
        """bool ``[n]``: what the next actions answer begins an episode."""
        if self.all_valid or not isinstance(self.valid, torch.Tensor):
            return self.done
        return self.done | ~self.valid

    @property
    def done(self) -> torch.Tensor:
        """bool ``[n]``: the instance's episode ended, one way or the other."""
        if self.ended is not None:
            return self.ended
        return self.terminated | self.truncated  # type: ignore[operator,no-any-return]


TeamTransition: TypeAlias = Transition[dict[str, torch.Tensor]]
"""One environment step of a team.

``observations``, ``actions`` and ``next_observations`` are dicts by actor of trees;
``rewards``, ``terminated``, ``truncated`` and ``valid`` dicts by actor of tensors ``[n]``.

An actor's row is valid up to the step that ends the actor (``terminated`` or ``truncated``), which
is included; from then on, until the instance's episode is over and the next one begins, the actor
is gone: its rows are no experience, its reward is 0, its flags are ``False``, and what it does has
no effect. ``next_observations`` of an actor that ended are its true final ones.
"""
