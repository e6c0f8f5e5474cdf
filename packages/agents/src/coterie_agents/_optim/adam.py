"""Adam for stacked parameters, with a learning rate and a step count per member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .flat import FlatOptimizer


class PopulationAdam(FlatOptimizer):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) over members that learn independently.

    The moments of all parameters lie in one matrix ``[P, total]``, so that a step costs a
    handful of operations whatever the number of layers.

    Args:
        parameters: Tensors that are updated in place, each ``[P, ...]``; with one member their
            shapes are free.
        population: Number of members, P.
        learning_rate: Step size of each member, ``[P]``.
        betas: Decays of the first and the second moment.
        epsilon: Term that keeps the denominator from 0, ``[P]`` or a number.

    Attributes:
        learning_rate: float64 ``[P]``; may be changed between steps.
        steps: float64 ``[P]``: how many steps each member has made.
        mean: First moments, ``[P, total]``.
        variance: Second moments, ``[P, total]``.
    """

    def __init__(
        self,
        parameters: Sequence[torch.Tensor],
        population: int,
        learning_rate: torch.Tensor,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, population, learning_rate)
        self.betas = betas
        self.epsilon = epsilon
        self.steps = torch.zeros_like(self.learning_rate)
        self.mean = torch.zeros_like(self._gradient)
        self.variance = torch.zeros_like(self.mean)

    @torch.no_grad()
    def step(self, gradient: torch.Tensor, active: torch.Tensor | None = None) -> None:
        """Update the parameters.

        Args:
            gradient: ``[P, total]``, as :meth:`gather` returns it.
            active: bool ``[P]``: members that make the step; ``None``: all.
        """
        first, second = self.betas
        mean, variance, steps = self.mean, self.variance, self.steps
        if active is not None:
            kept = mean.clone(), variance.clone(), steps.clone()
        steps.add_(1)
        mean.lerp_(gradient, 1 - first)
        variance.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        size = self.learning_rate / (1 - first**steps)
        root = (1 - second**steps).sqrt()
        size, root = (part.to(mean.dtype).unsqueeze(1) for part in (-size, root))
        change = torch.sqrt(variance, out=self._change).div_(root).add_(self.epsilon)
        torch.div(mean, change, out=change).mul_(size)
        if active is not None:
            self._undo(active, kept)
        torch._foreach_add_(self.parameters, self._changes)

    def _undo(self, active: torch.Tensor, kept: tuple[torch.Tensor, ...]) -> None:
        rows = active.unsqueeze(1)
        self.mean.copy_(torch.where(rows, self.mean, kept[0]))
        self.variance.copy_(torch.where(rows, self.variance, kept[1]))
        self.steps.copy_(torch.where(active, self.steps, kept[2]))
        self._change.copy_(torch.where(rows, self._change, 0.0))

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return what a member's steps have changed, as copies."""
        return {
            "mean": self.mean[member].clone(),
            "variance": self.variance[member].clone(),
            "steps": int(self.steps[member]),
            "learning_rate": float(self.learning_rate[member]),
        }

    def load(self, state: dict[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        self.mean[member].copy_(state["mean"])
        self.variance[member].copy_(state["variance"])
        self.steps[member] = float(state["steps"])
        self.learning_rate[member] = float(state["learning_rate"])


def clip_by_norm(gradient: torch.Tensor, limit: torch.Tensor | None) -> torch.Tensor:
    """Shorten each member's gradient, in place, to a largest Euclidean norm.

    Args:
        gradient: ``[P, total]``.
        limit: Largest norm of each member, ``[P]``, infinite where there is none; ``None``:
            nothing is shortened.

    Returns:
        The norms before, ``[P]``.
    """
    norm: torch.Tensor = torch.linalg.vector_norm(gradient, dim=1)
    if limit is not None:
        gradient.mul_((limit / (norm + 1e-6)).clamp_(max=1).unsqueeze(1))
    return norm
