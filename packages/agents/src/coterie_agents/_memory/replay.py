"""Replay memory: the latest timesteps of every instance, sampled uniformly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from coterie import CheckpointMismatch

from .columns import Columns
from .nstep import n_step_return
from .rollout import Fields

Batch = dict[str, torch.Tensor]


class ReplayMemory:
    """The latest ``capacity`` timesteps of ``population`` members with ``num_envs`` instances.

    A sample takes as many bytes as its fields do: with observations of 4 float32 numbers that
    are stored before and after the step, an int64 action, a float32 reward and two flags it is
    ``2 * 16 + 8 + 4 + 2 = 46``; with frames of 84 x 84 x 4 bytes ``56,462``. Memory is taken
    from the system as it fills (on the CPU). Types are kept as they are: frames stay uint8.

    What a step ended in is stored beside it, in fields whose names start with ``next``, so that
    samples are right at the ends of episodes and in every autoreset mode. Steps that only reset
    an instance are never sampled: the next sample of that instance takes their place.

    With ``n_step`` above 1 a sample covers up to so many steps: its reward is the discounted
    sum (:func:`~coterie_agents.n_step_return`), its ``next`` fields and flags are those of the
    last step. Where the episode ended, or has not gone further yet, it covers fewer.

    Args:
        fields: What is stored; ``rewards``, ``terminated`` and ``truncated`` must be there.
        capacity: Timesteps that are kept, at least 1.
        population: Members, P.
        num_envs: Instances of each member, N.
        device: Where the tensors live.
        n_step: Largest number of steps that a sample covers.

    Attributes:
        tensors: By field, ``[capacity + 1, P, N, *shape]``.
        columns: Where the samples lie.
        writes: Timesteps that were written in all.
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
    ) -> None:
        self.fields = dict(fields)
        self.capacity, self.population, self.num_envs = capacity, population, num_envs
        self.device, self.n_step = torch.device(device), n_step
        self._allocate()

    def _allocate(self) -> None:
        size = (self.capacity + 1, self.population, self.num_envs)
        self.tensors = {
            name: torch.zeros((*size, *shape), dtype=dtype, device=self.device)
            for name, (shape, dtype) in self.fields.items()
        }
        self.columns = Columns(self.capacity, self.population, self.num_envs, self.device)
        self._source = self.columns  # where samples are read from
        self.writes = 0
        self._flat = {name: tensor.flatten(0, 2) for name, tensor in self.tensors.items()}
        self._by_row = [tensor.flatten(1, 2) for tensor in self.tensors.values()]

    @property
    def sample_bytes(self) -> int:
        """Bytes that one sample takes."""
        return sum(t[0, 0, 0].numel() * t.element_size() for t in self.tensors.values())

    def write(self, samples: Sequence[torch.Tensor], valid: torch.Tensor | None = None) -> None:
        """Copy one timestep.

        Args:
            samples: One tensor ``[P * N, *shape]`` per field, in the order of the fields.
            valid: bool ``[P * N]``: which samples are experience; ``None``: all.
        """
        if valid is None and self.columns.even is not None:
            row = self.columns.even % self.columns.rows
            for rows, sample in zip(self._by_row, samples, strict=True):
                rows[row].copy_(sample)
        else:
            places = self.columns.next_places()
            for flat, sample in zip(self._flat.values(), samples, strict=True):
                flat.index_copy_(0, places, sample.to(flat).view_as(flat[: len(places)]))
        self.columns.advance(valid)
        self.writes += 1

    def sample(
        self,
        batch_size: int,
        generators: Sequence[torch.Generator],
        discount: torch.Tensor | None = None,
    ) -> Batch:
        """Draw samples, each member's with numbers of its own generator.

        Args:
            batch_size: Samples of each member, B.
            generators: One per member.
            discount: Discount of rewards ``[P]``, for ``n_step`` above 1.

        Returns:
            What :meth:`pick` returns.
        """
        drawn = [
            torch.rand(batch_size, generator=g, device=g.device, dtype=torch.float64)
            for g in generators
        ]
        return self.pick(torch.stack(drawn), discount)

    def pick(self, uniforms: torch.Tensor, discount: torch.Tensor | None = None) -> Batch:
        """Choose samples by random numbers; every valid one is as likely as every other.

        Args:
            uniforms: Numbers of ``[0, 1)``, float64 ``[P, B]``.
            discount: Discount of rewards ``[P]``, for ``n_step`` above 1.

        Returns:
            By field ``[P, B, *shape]``, and ``steps``, int64 ``[P, B]``: how many steps each
            sample covers. The target's discount is ``discount ** steps``.
        """
        number, column = self._source.draw(uniforms)
        return self.read(number, column, discount)

    def read(
        self, number: torch.Tensor, column: torch.Tensor, discount: torch.Tensor | None = None
    ) -> Batch:
        """Read samples by their numbers and columns, int64 ``[P, B]`` each."""
        first = self._source.flat(number, column)
        if self.n_step == 1:
            found = {name: self._take(name, first) for name in self.fields}
            return found | {"steps": torch.ones_like(number)}
        assert discount is not None, "n_step above 1 needs a discount"
        rewards, steps = self._add_up(number, column, discount)
        last = self._source.flat(number + steps - 1, column)
        found = {
            name: self._take(name, last if is_behind(name) else first)
            for name in self.fields
            if name != "rewards"
        }
        return found | {"rewards": rewards, "steps": steps}

    def _add_up(
        self, number: torch.Tensor, column: torch.Tensor, discount: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ahead = torch.arange(self.n_step, device=self.device).view(-1, 1, 1)
        head = self._source.head_of(column)
        known = number + ahead < head
        numbers = torch.where(known, number + ahead, number)
        places = self._source.flat(numbers, column)
        ends = self._take("terminated", places) | self._take("truncated", places)
        return n_step_return(self._take("rewards", places), ends, known, discount)

    def _take(self, name: str, places: torch.Tensor) -> torch.Tensor:
        flat = self._flat[name]
        return flat.index_select(0, places.reshape(-1)).view(*places.shape, *flat.shape[1:])

    def cut(self) -> None:
        """Treat the latest sample of every instance as truncated."""
        if self.writes:
            places = self.columns.flat((self.columns.heads - 1).clamp_(min=0), None)
            self._flat["truncated"].index_fill_(0, places.reshape(-1), True)

    def clear(self) -> None:
        """Forget all samples."""
        self.columns.clear()
        self.writes = 0

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's samples, oldest first, as copies ``[size, N, *shape]``.

        Columns that hold fewer than others start with zeros.
        """
        heads = self.columns.heads[member].clone()
        size = int(heads.max().clamp(max=self.capacity))
        places, held = self.columns.latest(heads, member, size)
        rows = {}
        for name in self.fields:
            taken = self._take(name, places)
            mask = held.view(*held.shape, *[1] * (taken.dim() - 2))
            rows[name] = torch.where(mask, taken, torch.zeros_like(taken))
        return {"num_envs": self.num_envs, "writes": self.writes, "heads": heads, "rows": rows}

    def check(self, state: Mapping[str, Any]) -> None:
        """Check that :meth:`load` can take a state over.

        Raises:
            CheckpointMismatch: It holds other fields, or other numbers of instances.
        """
        found = {name: (tuple(t.shape[2:]), t.dtype) for name, t in state["rows"].items()}
        wanted = {name: (tuple(shape), dtype) for name, (shape, dtype) in self.fields.items()}
        if found != wanted:
            raise CheckpointMismatch(
                f"this memory holds {_describe(found)}, expected {_describe(wanted)}"
            )
        if int(state["num_envs"]) != self.num_envs:
            raise CheckpointMismatch(
                f"this memory is of {state['num_envs']} instances, expected {self.num_envs}"
            )

    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned; of a larger memory the latest samples.

        Raises:
            CheckpointMismatch: It holds other fields, or other numbers of instances.
        """
        self.check(state)
        heads = state["heads"].to(self.device)
        given = len(state["rows"]["rewards"])
        size = min(given, self.capacity)
        places, held = self.columns.latest(heads, member, size)
        for name, flat in self._flat.items():
            rows = state["rows"][name][given - size :].to(self.device)
            flat.index_copy_(0, places[held], rows[held])
        self.columns.load(heads, member)
        self.writes = int(state["writes"])

    def __getstate__(self) -> dict[str, Any]:
        # Only what is filled travels, and no views, which would no longer be views.
        left_out = ("tensors", "columns", "_source", "_flat", "_by_row")
        plain = {key: value for key, value in self.__dict__.items() if key not in left_out}
        return plain | {"members": [self.state(member) for member in range(self.population)]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        members = state.pop("members")
        self.__dict__.update(state)
        self._allocate()
        for member, own in enumerate(members):
            self.load(own, member)


def is_behind(name: str) -> bool:
    """Whether a field tells of the end of a step: its ``next`` observations and its flags."""
    return name.startswith("next") or name in ("terminated", "truncated")


def _describe(fields: Mapping[str, tuple[tuple[int, ...], torch.dtype]]) -> str:
    return ", ".join(f"{name} {list(shape)} {dtype}" for name, (shape, dtype) in fields.items())
