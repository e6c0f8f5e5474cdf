"""Sums over sums, for drawing in proportion to weights."""

from __future__ import annotations

import torch

_FAN = 32
"""Children of a node. A binary tree has fewest additions; a wide one has a fifth of the levels,
and each level costs a handful of tensor operations whatever its width."""


class SumTree:
    """Weights of ``leaves`` things for each of ``P`` members, and their sums, level by level.

    A sum is always computed anew from its children: errors of rounding do not pile up.

    Args:
        population: Members, P.
        leaves: Number of weights of each.
        device: Where the tree lives.

    Attributes:
        levels: float64 ``[P, size]`` each, the weights first; sizes are multiples of the fan.
    """

    def __init__(self, population: int, leaves: int, device: torch.device | str = "cpu") -> None:
        self.levels: list[torch.Tensor] = []
        size = leaves
        while True:
            nodes = -(-size // _FAN)
            whole = torch.zeros(population, nodes * _FAN, dtype=torch.float64, device=device)
            self.levels.append(whole)
            if nodes == 1:
                break
            size = nodes

    @property
    def total(self) -> torch.Tensor:
        """Sum of all weights, float64 ``[P]``."""
        return self.levels[-1].sum(1)

    def get(self, leaves: torch.Tensor) -> torch.Tensor:
        """Return the weights float64 ``[P, B]`` of leaves, int64 ``[P, B]``."""
        return self.levels[0].gather(1, leaves)

    def set(self, leaves: torch.Tensor, weights: torch.Tensor) -> None:
        """Change weights.

        Args:
            leaves: int64 ``[P, B]``; of a leaf that is there twice the last weight holds.
            weights: float64 ``[P, B]``, at least 0.
        """
        self.levels[0].scatter_(1, leaves, weights)
        nodes = leaves
        for below, above in zip(self.levels, self.levels[1:], strict=False):
            nodes = torch.div(nodes, _FAN, rounding_mode="floor")
            above.scatter_(1, nodes, _children(below, nodes).sum(-1))

    def set_all(self, member: int, weights: torch.Tensor) -> None:
        """Replace all weights of a member by ``[leaves]``."""
        self.levels[0][member].zero_()
        self.levels[0][member, : len(weights)] = weights
        for below, above in zip(self.levels, self.levels[1:], strict=False):
            sums = below[member].view(-1, _FAN).sum(-1)
            above[member, : len(sums)] = sums

    def find(self, targets: torch.Tensor) -> torch.Tensor:
        """Find the leaves at which the running sum of the weights passes ``targets``.

        A leaf without weight is never found, as long as there is one with.

        Args:
            targets: float64 ``[P, B]``, from 0 to :attr:`total`.

        Returns:
            Leaves, int64 ``[P, B]``.
        """
        nodes = torch.zeros_like(targets, dtype=torch.int64)
        for level in reversed(self.levels):
            sums = _children(level, nodes).cumsum(-1)
            last = sums[..., -1]
            # Rounding can carry a target past the last child that has a weight.
            targets = targets.minimum(torch.nextafter(last, torch.zeros_like(last)))
            child = (sums <= targets.unsqueeze(-1)).sum(-1)
            before = (child - 1).clamp(min=0).unsqueeze(-1)
            passed = torch.where(child > 0, sums.gather(-1, before).squeeze(-1), 0.0)
            targets = targets - passed
            nodes = nodes * _FAN + child
        return nodes


def _children(level: torch.Tensor, nodes: torch.Tensor) -> torch.Tensor:
    """Gather the children ``[P, B, fan]`` of nodes ``[P, B]``."""
    places = nodes.unsqueeze(-1) * _FAN + torch.arange(_FAN, device=nodes.device)
    return level.gather(1, places.flatten(1)).view(places.shape)
