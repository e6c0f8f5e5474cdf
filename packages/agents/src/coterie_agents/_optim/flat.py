"""What optimisers over stacked parameters have in common: flat gradients and flat changes."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import torch


class FlatOptimizer(abc.ABC):
    """A rule that turns the gradients of members that learn independently into changes.

    Gradients and changes of all parameters lie in one matrix ``[P, total]`` each, so that a step
    costs a handful of operations whatever the number of layers.

    Args:
        parameters: Tensors that are updated in place, each ``[P, ...]``; with one member their
            shapes are free.
        population: Number of members, P.
        learning_rate: Step size of each member, ``[P]``.

    Attributes:
        learning_rate: float64 ``[P]``; may be changed between steps.
    """

    def __init__(
        self, parameters: Sequence[torch.Tensor], population: int, learning_rate: torch.Tensor
    ) -> None:
        self.parameters = list(parameters)
        self.population = population
        first = self.parameters[0]
        sizes = [parameter.numel() // population for parameter in self.parameters]
        self.learning_rate = learning_rate.to(device=first.device, dtype=torch.float64)
        self._gradient = first.new_zeros(population, sum(sizes), requires_grad=False)
        self._change = torch.zeros_like(self._gradient)
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

    @abc.abstractmethod
    def step(self, gradient: torch.Tensor, active: torch.Tensor | None = None) -> None:
        """Update the parameters.

        Args:
            gradient: ``[P, total]``, as :meth:`gather` returns it.
            active: bool ``[P]``: members that make the step; ``None``: all.
        """

    @abc.abstractmethod
    def state(self, member: int = 0) -> dict[str, Any]:
        """Return what a member's steps have changed, as copies."""

    @abc.abstractmethod
    def load(self, state: dict[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""

    def __getstate__(self) -> dict[str, Any]:
        # Pickled views would no longer be views of the change.
        return {key: value for key, value in self.__dict__.items() if key != "_changes"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._link()


def _shaped(part: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    return part.view(part.shape[0], *parameter.shape[1:])
