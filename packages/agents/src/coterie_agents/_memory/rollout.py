"""Memory of one rollout: written row by row, read as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

Fields = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Shape of one sample and element type, by name."""


class RolloutMemory:
    """``length`` timesteps of ``population`` members with ``num_envs`` instances each.

    Args:
        fields: What is stored.
        length: Timesteps, T.
        population: Members, P.
        num_envs: Instances of each member, N.
        device: Where the tensors live.

    Attributes:
        position: Number of rows that were written.
        tensors: By field, ``[T, P, N, *shape]``.
    """

    def __init__(
        self,
        fields: Fields,
        length: int,
        population: int,
        num_envs: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.length, self.population, self.num_envs = length, population, num_envs
        self.position = 0
        self.tensors = {
            name: torch.zeros((length, population, num_envs, *shape), dtype=dtype, device=device)
            for name, (shape, dtype) in fields.items()
        }
        self._names = tuple(self.tensors)
        self._link()

    def _link(self) -> None:
        """Cut the tensors into rows ``[P * N, ...]`` once, so that writing costs only a copy."""
        flat = [tensor.flatten(1, 2).unbind(0) for tensor in self.tensors.values()]
        self._rows = list(zip(*flat, strict=True))

    @property
    def full(self) -> bool:
        """Whether every row was written."""
        return self.position == self.length

    def write(self, samples: Sequence[torch.Tensor]) -> None:
        """Copy one timestep.

        Args:
            samples: One tensor ``[P * N, *shape]`` per field, in the order of the fields.
        """
        for row, sample in zip(self._rows[self.position], samples, strict=True):
            row.copy_(sample)
        self.position += 1

    def write_steps(self, columns: Sequence[torch.Tensor]) -> None:
        """Copy several timesteps.

        Args:
            columns: One tensor ``[K, P * N, *shape]`` per field, in the order of the fields.
        """
        steps = len(columns[0])
        for kept, column in zip(self.tensors.values(), columns, strict=True):
            kept[self.position : self.position + steps].copy_(column.view(steps, *kept.shape[1:]))
        self.position += steps

    def clear(self) -> None:
        """Start again at the first row."""
        self.position = 0

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return the rows of a member that were written, as copies ``[position, N, *shape]``."""
        rows = {name: t[: self.position, member].clone() for name, t in self.tensors.items()}
        return {"num_envs": self.num_envs, "position": self.position, "rows": rows}

    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        self.position = int(state["position"])
        for name, rows in state["rows"].items():
            self.tensors[name][: self.position, member].copy_(rows)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_rows"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._link()
