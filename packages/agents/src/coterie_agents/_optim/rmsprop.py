"""RMSProp for stacked parameters, with a learning rate per member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .flat import FlatOptimizer


class PopulationRMSProp(FlatOptimizer):
    """RMSProp (Tieleman and Hinton 2012) over members that learn independently.

    As Mnih et al. 2016 (arXiv:1602.01783, section 4) have it, not centred and without momentum,
    but with torch's place of epsilon: ``v = decay v + (1 - decay) g**2``, then
    ``parameter -= learning_rate g / (sqrt(v) + epsilon)``, where ``v`` is 0 at first.

    The mean squares of all parameters lie in one matrix ``[P, total]``, so that a step costs a
    handful of operations whatever the number of layers.

    Args:
        parameters: Tensors that are updated in place, each ``[P, ...]``; with one member their
            shapes are free.
        population: Number of members, P.
        learning_rate: Step size of each member, ``[P]``.
        decay: Decay of the mean squares.
        epsilon: Term that keeps the denominator from 0.

    Attributes:
        learning_rate: float64 ``[P]``; may be changed between steps.
        square: Decaying means of the squared gradients, ``[P, total]``.
    """

    def __init__(
        self,
        parameters: Sequence[torch.Tensor],
        population: int,
        learning_rate: torch.Tensor,
        *,
        decay: float = 0.99,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, population, learning_rate)
        self.decay, self.epsilon = decay, epsilon
        self.square = torch.zeros_like(self._gradient)

    @torch.no_grad()
    def step(self, gradient: torch.Tensor, active: torch.Tensor | None = None) -> None:
        """Update the parameters.

        Args:
            gradient: ``[P, total]``, as :meth:`gather` returns it.
            active: bool ``[P]``: members that make the step; ``None``: all.
        """
        square = self.square
        kept = None if active is None else square.clone()
        square.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        size = self.learning_rate.to(square.dtype).neg().unsqueeze(1)
        change = torch.sqrt(square, out=self._change).add_(self.epsilon)
        torch.div(gradient, change, out=change).mul_(size)
        if active is not None and kept is not None:
            rows = active.unsqueeze(1)
            square.copy_(torch.where(rows, square, kept))
            change.copy_(torch.where(rows, change, 0.0))
        torch._foreach_add_(self.parameters, self._changes)

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return what a member's steps have changed, as copies."""
        return {
            "square": self.square[member].clone(),
            "learning_rate": float(self.learning_rate[member]),
        }

    def load(self, state: dict[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        self.square[member].copy_(state["square"])
        self.learning_rate[member] = float(state["learning_rate"])
