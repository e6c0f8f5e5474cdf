"""Replay memory that is sampled in sequences of steps."""

from __future__ import annotations

import torch

from .replay import Batch, ReplayMemory
from .rollout import Fields


class SequenceReplayMemory(ReplayMemory):
    """A ring of the latest timesteps; samples are sequences of steps that followed each other.

    A sequence lies in one instance; episodes may end in it. Every sequence that is there is as
    likely as every other. Steps that only reset an instance are no part of any.

    Args:
        fields: What is stored, as in :class:`ReplayMemory`.
        capacity: Timesteps that are kept, at least ``length``.
        population: Members, P.
        num_envs: Instances of each member, N.
        device: Where the tensors live.
        length: Steps of a sequence.
    """

    def __init__(
        self,
        fields: Fields,
        capacity: int,
        population: int,
        num_envs: int,
        device: torch.device | str = "cpu",
        *,
        length: int,
    ) -> None:
        self.length = length
        super().__init__(fields, capacity, population, num_envs, device)

    def pick(self, uniforms: torch.Tensor, discount: torch.Tensor | None = None) -> Batch:
        """Choose sequences by random numbers.

        An instance needs ``length`` steps to be chosen from, and each member one such instance.

        Args:
            uniforms: Numbers of ``[0, 1)``, float64 ``[P, B]``.
            discount: Not used.

        Returns:
            By field ``[P, B * length, *shape]``, one sequence after the other, and ``steps``,
            int64 ``[P, B * length]``, all 1.
        """
        number, column = self._first_steps(uniforms)
        ahead = torch.arange(self.length, device=self.device)
        numbers = (number.unsqueeze(-1) + ahead).flatten(1)
        return self.read(numbers, column.repeat_interleave(self.length, 1))

    def _first_steps(self, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Choose the first steps: sample numbers and columns, int64 ``[P, B]`` each."""
        columns = self.columns
        filled = columns.filled
        counts = (filled - (self.length - 1)).clamp(min=0)
        ends = counts.cumsum(1)
        order = (uniforms * ends[:, -1:]).long()
        column = torch.searchsorted(ends, order, right=True)
        first = columns.heads - filled + counts - ends
        return order + first.gather(1, column), column
