"""Adam for stacked parameters, with a learning rate and a step count per member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class PopulationAdam:
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
        self.parameters = list(parameters)
        self.population = population
        self.betas = betas
        self.epsilon = epsilon
        first = self.parameters[0]
        sizes = [parameter.numel() // population for parameter in self.parameters]
        self.learning_rate = learning_rate.to(device=first.device, dtype=torch.float64)
        self.steps = torch.zeros(population, dtype=torch.float64, device=first.device)
        self.mean = first.new_zeros(population, sum(sizes), requires_grad=False)
        self.variance = torch.zeros_like(self.mean)
        self._gradient = torch.zeros_like(self.mean)
        self._change = torch.zeros_like(self.mean)
        self._link()

    def _link(self) -> None:
        """Cut the flat change into one view per parameter, of the parameter's shape."""
        sizes = [parameter.numel() // self.population for parameter in self.parameters]
        parts = self._change.split_with_sizes(sizes, dim=1)
        self._changes = [
            part.view(parameter.shape) if self.population == 1 else _shaped(part, parameter)
            for part, parameter in zip(parts, self.parameters, strict=True)
        ]

    def gather(self, gradients: Sequence[torch.Tensor | None]) -> torch.Tensor:
        """Lay the gradients of the parameters side by side.

        Args:
            gradients: One per parameter; ``None`` counts as zero.

        Returns:
            ``[P, total]``, overwritten by the next call.
        """
        flat = [
            (torch.zeros_like(parameter) if gradient is None else gradient).reshape(
                self.population, -1
            )
            for gradient, parameter in zip(gradients, self.parameters, strict=True)
        ]
        return torch.cat(flat, dim=1, out=self._gradient)

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

    def __getstate__(self) -> dict[str, Any]:
        # Pickled views would no longer be views of the change.
        return {key: value for key, value in self.__dict__.items() if key != "_changes"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._link()

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


def _shaped(part: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    return part.view(part.shape[0], *parameter.shape[1:])


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
