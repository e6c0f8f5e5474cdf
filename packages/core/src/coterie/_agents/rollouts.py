"""Timesteps that a stack and an environment go through together, in one call."""

from __future__ import annotations

import abc
from typing import Any

import torch
from attrs import frozen

from .._types import Tree


@frozen(kw_only=True, eq=False)
class Passage:
    """``K`` timesteps of ``N`` instances.

    Attributes:
        simulation: Where the environment is afterwards.
        next_observations: What the next actions answer, tensors ``[N, ...]``.
        observations: What the actions answered, tensors ``[K, N, ...]``.
        actions: What was done, tensors ``[K, N, ...]``.
        rewards: float32 ``[K, N]``.
        ends: Where the steps ended, before any reset, tensors ``[K, N, ...]``.
        terminated: bool ``[K, N]``.
        truncated: bool ``[K, N]``.
    """

    simulation: Any
    next_observations: Tree
    observations: Tree
    actions: Tree
    rewards: torch.Tensor
    ends: Tree
    terminated: torch.Tensor
    truncated: torch.Tensor


class Rollout(abc.ABC):
    """Agents and their environment, that act and step several times in one call.

    Attributes:
        unit: The timesteps of a call are a multiple of it.
    """

    unit: int

    @abc.abstractmethod
    def room(self) -> int:
        """How many timesteps can be gone through before something else must be done; 0: none."""

    @abc.abstractmethod
    def play(self, simulation: Any, observations: Tree, steps: int) -> Passage | None:
        """Go through some timesteps: the agents act and record, the environment steps.

        Args:
            simulation: Where the environment is.
            observations: What the first actions answer, tensors ``[N, ...]``.
            steps: How many timesteps, K: a multiple of :attr:`unit`, at most :meth:`room`.

        Returns:
            What happened; ``None``: it can't be done, nothing was changed, and there is no
            :meth:`room` any more.
        """
