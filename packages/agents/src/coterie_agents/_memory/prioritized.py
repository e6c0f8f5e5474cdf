"""Replay memory that samples what surprised more often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from coterie import CheckpointMismatch

from .replay import Batch, ReplayMemory
from .rollout import Fields
from .sum_tree import SumTree


class PrioritizedReplayMemory(ReplayMemory):
    """Proportional prioritised replay (Schaul et al. 2016, arXiv:1511.05952, section 3.3).

    Sample ``i`` is drawn with probability ``p_i^a / sum_j p_j^a``, its priority being the last
    absolute error plus a constant. New samples get the largest priority seen so far. Draws are
    stratified: the ``k``-th of ``B`` comes from the ``k``-th part of the sum. Beside the fields
    a sample takes about 8 bytes for its priority.

    Args:
        fields: What is stored; ``rewards``, ``terminated`` and ``truncated`` must be there.
        capacity: Timesteps that are kept, at least 1.
        population: Members, P.
        num_envs: Instances of each member, N.
        device: Where the tensors live.
        n_step: Largest number of steps that a sample covers.
        exponent: ``a`` of each member, ``[P]``; 0 is uniform sampling.
        constant: What is added to absolute errors.

    Attributes:
        exponent: float64 ``[P]``; what was stored with another exponent stays as it is.
        importance: Exponent ``b`` of the importance weights, float64 ``[P]``.
        largest: Largest priority so far, float64 ``[P]``.
    """

    def __init__(
        self,
        fields: Fields,
        capacity: int,
        population: int,
        num_envs: int,
        device: torch.device | str = "cpu",
        *,
        n_step: int = 1,
        exponent: torch.Tensor,
        constant: float = 1e-6,
    ) -> None:
        self.exponent = exponent.to(device=device, dtype=torch.float64)
        self.importance = torch.ones_like(self.exponent)
        self.constant = constant
        super().__init__(fields, capacity, population, num_envs, device, n_step=n_step)

    def _allocate(self) -> None:
        super()._allocate()
        leaves = self.columns.rows * self.num_envs
        self.tree = SumTree(self.population, leaves, self.device)
        self.largest = torch.ones(self.population, dtype=torch.float64, device=self.device)
        self._columns = torch.arange(self.num_envs, device=self.device)

    def write(self, samples: Sequence[torch.Tensor], valid: torch.Tensor | None = None) -> None:
        """Copy one timestep; its samples get the largest priority.

        Args:
            samples: One tensor ``[P * N, *shape]`` per field, in the order of the fields.
            valid: bool ``[P * N]``: which samples are experience; ``None``: all.
        """
        written = self.columns.heads.clone()
        super().write(samples, valid)
        weight = (self.largest**self.exponent).unsqueeze(1).expand_as(written)
        if valid is not None:
            weight = torch.where(valid.view_as(written), weight, 0.0)
        # The row behind is the next to be overwritten: it no longer counts.
        leaves = torch.cat([self._leaf(self.columns.heads), self._leaf(written)], dim=1)
        self.tree.set(leaves, torch.cat([torch.zeros_like(weight), weight], dim=1))

    def _leaf(self, numbers: torch.Tensor, columns: torch.Tensor | None = None) -> torch.Tensor:
        """Turn sample numbers ``[P, B]`` and columns into leaves of the tree."""
        own = self._columns if columns is None else columns
        return torch.remainder(numbers, self.columns.rows) * self.num_envs + own

    def pick(self, uniforms: torch.Tensor, discount: torch.Tensor | None = None) -> Batch:
        """Choose samples in proportion to their priorities.

        Args:
            uniforms: Numbers of ``[0, 1)``, float64 ``[P, B]``.
            discount: Discount of rewards ``[P]``, for ``n_step`` above 1.

        Returns:
            What :meth:`ReplayMemory.pick` returns, and ``weights``, float64 ``[P, B]``:
            importance weights ``(M P(i))^-b`` of ``M`` samples, divided by the largest of the
            batch; and ``leaves``, int64 ``[P, B]``, for :meth:`update_priorities`.
        """
        size = uniforms.shape[1]
        strata = torch.arange(size, device=self.device, dtype=torch.float64)
        total = self.tree.total.unsqueeze(1)
        leaves = self.tree.find((strata + uniforms) / size * total)
        column = torch.remainder(leaves, self.num_envs)
        row = torch.div(leaves, self.num_envs, rounding_mode="floor")
        newest = self.columns.heads.gather(1, column) - 1
        number = newest - torch.remainder(newest - row, self.columns.rows)
        count = self.columns.filled.sum(1, keepdim=True)
        scaled = count * self.tree.get(leaves) / total
        weights = scaled ** -self.importance.unsqueeze(1)
        weights = weights / weights.amax(1, keepdim=True)
        return self.read(number, column, discount) | {"weights": weights, "leaves": leaves}

    def update_priorities(self, leaves: torch.Tensor, errors: torch.Tensor) -> None:
        """Set priorities to the absolute errors of samples.

        Args:
            leaves: What :meth:`pick` returned, ``[P, B]``.
            errors: Temporal-difference errors ``[P, B]``.
        """
        priorities = errors.abs().to(torch.float64) + self.constant
        self.largest = torch.maximum(self.largest, priorities.amax(1))
        self.tree.set(leaves, priorities ** self.exponent.unsqueeze(1))

    def clear(self) -> None:
        """Forget all samples and priorities."""
        super().clear()
        for level in self.tree.levels:
            level.zero_()
        self.largest.fill_(1.0)

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's samples and priorities, oldest first, as copies."""
        state = super().state(member)
        leaves, held = self._leaves_of(state["heads"], len(state["rows"]["rewards"]))
        weights = self.tree.levels[0][member][leaves]
        state["priorities"] = torch.where(held, weights, 0.0)
        state["largest"] = float(self.largest[member])
        return state

    def _leaves_of(self, heads: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        ages = torch.arange(size, 0, -1, device=self.device).unsqueeze(1)
        numbers = heads - ages
        return self._leaf(numbers.clamp(min=0)), numbers >= 0

    def check(self, state: Mapping[str, Any]) -> None:
        """Check that :meth:`load` can take a state over.

        Raises:
            CheckpointMismatch: It holds other fields, or no priorities.
        """
        super().check(state)
        if "priorities" not in state:
            raise CheckpointMismatch("this memory has no priorities: it is a uniform one")

    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned; of a larger memory the latest samples.

        Raises:
            CheckpointMismatch: It holds other fields, or no priorities.
        """
        super().load(state, member)
        size = min(len(state["priorities"]), self.capacity)
        leaves, held = self._leaves_of(state["heads"].to(self.device), size)
        weights = self.tree.levels[0].new_zeros(self.columns.rows * self.num_envs)
        given = state["priorities"][len(state["priorities"]) - size :].to(self.device)
        weights[leaves[held]] = given[held]
        self.tree.set_all(member, weights)
        self.largest[member] = float(state["largest"])

    def __getstate__(self) -> dict[str, Any]:
        plain = super().__getstate__()
        return {k: v for k, v in plain.items() if k not in ("tree", "largest", "_columns")}
