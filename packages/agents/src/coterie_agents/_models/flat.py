"""All parameters of a stack of networks in one matrix."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import nn

from .._precision.autocast import FULL, Precision
from .._vision.network import StackedVision
from .mlp import StackedMLP

Network: TypeAlias = StackedMLP | StackedVision
"""Built-in networks: all of their parameters are their own, none those of a part."""


class FlatParameters:
    """Moves the parameters of stacked built-in networks into one matrix, a row per member.

    What treats all of them alike, an optimiser's step or an average, then costs one operation
    whatever the number of layers. The network goes on as before on views of the matrix.

    Args:
        network: ``P * K`` stacked networks, ``K`` for each member; their parameters become views.
        population: Number of members, P.
        precision: How the network is run.

    Attributes:
        network: The network.
        matrix: ``[P, K * total]``.
        parameters: The network's parameters, ``[P * K, ...]``.
        first: The first of each member's networks, on the same memory and without gradients.
    """

    def __init__(self, network: Network, population: int, precision: Precision = FULL) -> None:
        self.network, self.precision = network, precision
        with torch.no_grad():
            parts = [parameter.detach().flatten(1) for parameter in network.parameters()]
            self.matrix = torch.cat(parts, dim=1).view(population, -1)
        self._link()

    def _link(self) -> None:
        offset = 0
        for name, parameter in list(self.network._parameters.items()):
            assert parameter is not None
            rows, size = parameter.shape[0], parameter[0].numel()
            matrix = self.matrix.view(rows, -1)
            part = matrix[:, offset : offset + size].view(parameter.shape)
            self.network._parameters[name] = nn.Parameter(
                part, requires_grad=parameter.requires_grad
            )
            offset += size
        self.parameters = list(self.network.parameters())
        self.first = self._first()

    def _first(self) -> Network:
        count = self.parameters[0].shape[0] // len(self.matrix)
        network = copy.copy(self.network)
        network._parameters = {
            name: nn.Parameter(parameter.detach()[::count], requires_grad=False)
            for name, parameter in self.network.named_parameters()
        }
        return network

    def run(self, inputs: Any) -> torch.Tensor:
        """Run all networks: from inputs ``[P * K, B, ...]`` to ``[P * K, B, outputs]``."""
        return self.precision.run(self.network, inputs)

    def run_first(self, inputs: Any) -> torch.Tensor:
        """Run the first of each member's: from ``[P, B, ...]`` to ``[P, B, outputs]``."""
        return self.precision.run(self.first, inputs)

    @property
    def backward_by_hand(self) -> bool:
        """Whether the network has a backward pass that needs no autograd."""
        return self.precision.low is None and self.network.backward_by_hand

    @torch.no_grad()
    def follow(self, other: FlatParameters, share: torch.Tensor) -> None:
        """Move towards other parameters: ``own + share * (other - own)``.

        Args:
            other: Of the same architecture.
            share: Tau of Polyak averaging, ``[P, 1]``.
        """
        self.matrix.lerp_(other.matrix, share)

    def gather(self, gradients: Sequence[torch.Tensor]) -> torch.Tensor:
        """Lay gradients of the parameters side by side, ``[P, K * total]``."""
        flat = torch.cat([gradient.flatten(1) for gradient in gradients], dim=1)
        return flat.view(self.matrix.shape)

    def copy(self) -> FlatParameters:
        """Return another network with the same numbers, which nobody wants gradients of."""
        copied = FlatParameters(copy.deepcopy(self.network), len(self.matrix), self.precision)
        for parameter in copied.parameters:
            parameter.requires_grad_(False)
        return copied

    def state(self, member: int = 0) -> dict[str, torch.Tensor]:
        """Return a member's parameters by name, copied: ``[...]``, or ``[K, ...]`` of several."""
        named = self.network.named_parameters()
        return {name: self._of(parameter, member).clone() for name, parameter in named}

    @torch.no_grad()
    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        for name, parameter in self.network.named_parameters():
            self._of(parameter, member).copy_(state[name])

    def _of(self, parameter: torch.Tensor, member: int) -> torch.Tensor:
        count = parameter.shape[0] // len(self.matrix)
        own = parameter.detach()[member * count : (member + 1) * count]
        return own[0] if count == 1 else own

    def __getstate__(self) -> dict[str, Any]:
        # Pickled views would no longer be views of the matrix.
        return {name: getattr(self, name) for name in ("network", "matrix", "precision")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._link()
