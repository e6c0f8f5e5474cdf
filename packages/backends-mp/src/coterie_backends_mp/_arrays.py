"""Where everything lies in the shared block: a slot per member.

Slots of what goes through networks start at a cache line, as tensors of their own would: a matrix
product can round differently otherwise. The trainer fills the slots of members with equally many
instances with one copy. On demand, there is a guard behind each slot, a cache line that nobody
has any business in.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from attrs import frozen

from coterie import Interface
from coterie.spaces import build_tree, leaf_of, space_leaves

_LINE = 64  # bytes of a cache line
_GUARD = 0xA5


class Arena:
    """Hands out aligned pieces of memory, one after the other; without memory it only counts.

    Args:
        memory: Bytes, uint8 ``[size]``, whose first is at a cache line; ``None``: only count.
        start: First byte that may be used.
    """

    def __init__(self, memory: torch.Tensor | None, start: int = 0) -> None:
        self._memory = memory
        self.size = start

    def take(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        """Take a tensor ``[count]``, of no meaning where there is no memory."""
        start = -(-self.size // _LINE) * _LINE
        self.size = start + count * dtype.itemsize
        if self._memory is None:
            return torch.empty(count, dtype=dtype, device="meta")
        return self._memory[start : self.size].view(dtype)


@frozen(kw_only=True)
class Layout:
    """How slots lie.

    Attributes:
        scopes: Number of instances of each member.
        guarded: Whether there is a guard behind each slot.
    """

    scopes: Sequence[int]
    guarded: bool = False

    def step(self, used: int, aligned: bool) -> int:
        """Bytes from one slot of ``used`` bytes to the next."""
        whole = -(-used // _LINE) * _LINE if aligned or self.guarded else used
        return whole + _LINE if self.guarded else whole


@frozen(eq=False)
class Lane:
    """Slots of neighbouring members with equally many instances, as one tensor.

    Attributes:
        slots: ``[members, instances, *shape]``, possibly with gaps between the members.
        gaps: What lies in the gaps, bytes ``[members, gap]``.
        rows: The instances, of all.
        first: Index of the first of the members.
    """

    slots: torch.Tensor
    gaps: torch.Tensor
    rows: slice
    first: int


class Column:
    """One tensor of the environment, cut into a slot per member.

    Args:
        arena: Where the memory comes from.
        shape: Shape for one instance.
        dtype: Type of the elements.
        layout: How the slots lie.
        aligned: Whether each slot starts at a cache line.
    """

    def __init__(
        self,
        arena: Arena,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        layout: Layout,
        aligned: bool = True,
    ) -> None:
        self.lanes = list(_lanes(arena, shape, dtype, layout, aligned))
        self.slots = [slot for lane in self.lanes for slot in lane.slots.unbind(0)]
        first = self.lanes[0].slots
        whole = len(self.lanes) == 1 and first.is_contiguous()
        self._whole = first.view(-1, *shape) if whole else None

    def write(self, tensor: torch.Tensor) -> None:
        """Fill all slots from a tensor ``[num_envs, *shape]``."""
        if self._whole is not None:
            self._whole.copy_(tensor)
            return
        for lane in self.lanes:
            lane.slots.copy_(tensor[lane.rows].reshape(lane.slots.shape))

    def read(self) -> torch.Tensor:
        """Copy all slots into a tensor ``[num_envs, *shape]``."""
        if self._whole is not None:
            return self._whole.clone()
        return torch.cat([slot for lane in self.lanes for slot in lane.slots])

    def slot(self, member: int) -> torch.Tensor:
        """The slot of one member, ``[n, *shape]``."""
        return self.slots[member]

    def set_guards(self) -> None:
        """Give the guards the value that :meth:`broken_guards` looks for."""
        for lane in self.lanes:
            lane.gaps.fill_(_GUARD)

    def broken_guards(self) -> list[int]:
        """Find the members behind whose slots something was written."""
        return [
            lane.first + member
            for lane in self.lanes
            for member in (lane.gaps != _GUARD).any(1).nonzero().flatten().tolist()
        ]


class Columns:
    """A tree of columns: all tensors of a space.

    Args:
        arena: Where the memory comes from.
        space: The space.
        layout: How the slots lie.
    """

    def __init__(self, arena: Arena, space: Any, layout: Layout) -> None:
        self._space = space
        self.columns = {
            leaf.path: Column(arena, leaf.shape, leaf.dtype, layout) for leaf in space_leaves(space)
        }
        self._only = self.columns.get(())

    def write(self, tree: Any) -> None:
        """Fill all slots from tensors ``[num_envs, *shape]``."""
        if self._only is not None:
            self._only.write(tree)
            return
        for path, column in self.columns.items():
            column.write(leaf_of(tree, path))

    def read(self) -> Any:
        """Copy all slots into tensors ``[num_envs, *shape]``."""
        if self._only is not None:
            return self._only.read()
        return build_tree(self._space, {path: c.read() for path, c in self.columns.items()})

    def slot(self, member: int) -> Any:
        """The slot of one member, tensors ``[n, *shape]``."""
        slots = {path: column.slots[member] for path, column in self.columns.items()}
        return build_tree(self._space, slots)


class ByActor:
    """A column per actor, for what there is one number or flag of per instance and actor.

    Args:
        arena: Where the memory comes from.
        dtype: Type of the elements.
        layout: How the slots lie.
        actors: Names of the actors.
    """

    def __init__(
        self, arena: Arena, dtype: torch.dtype, layout: Layout, actors: Sequence[str]
    ) -> None:
        self.columns = {
            (actor,): Column(arena, (), dtype, layout, aligned=False) for actor in actors
        }

    def write(self, tensors: Any) -> None:
        """Fill all slots from tensors ``[num_envs]`` by actor."""
        for (actor,), column in self.columns.items():
            column.write(tensors[actor])

    def slot(self, member: int) -> Any:
        """The slots of one member, tensors ``[n]`` by actor."""
        return {actor: column.slots[member] for (actor,), column in self.columns.items()}


class Arrays:
    """Everything that a trainer and its members exchange.

    There are two places for observations, used in turn: what a member acted on stays where it is
    until it has recorded what came of it.

    Args:
        arena: Where the memory comes from.
        interface: Spaces and number of instances of the environment.
        layout: How the slots lie.
    """

    def __init__(self, arena: Arena, interface: Interface, layout: Layout) -> None:
        def tree(space: Any) -> Any:
            return None if space is None else Columns(arena, space, layout)

        def column(dtype: torch.dtype) -> Column | ByActor:
            if interface.actors:
                return ByActor(arena, dtype, layout, interface.actors)
            return Column(arena, (), dtype, layout, aligned=False)

        space, state_space = interface.observation_space, interface.state_space
        self.observations: tuple[Columns, Columns] = tree(space), tree(space)
        self.final_observations: Columns = tree(space)
        self.states = tree(state_space), tree(state_space)
        self.final_states = tree(state_space)
        self.rewards = column(torch.float32)
        self.terminated = column(torch.bool)
        self.truncated = column(torch.bool)
        self.valid = column(torch.bool)
        self.ended: Column | None = None
        if interface.actors:
            self.ended = Column(arena, (), torch.bool, layout, aligned=False)
        self.actions: Columns = tree(interface.action_space)

    def named(self) -> Iterator[tuple[str, Column]]:
        """List all columns with their names."""
        for name, value in vars(self).items():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Column):
                    yield name, part
                elif part is not None:
                    for path, column in part.columns.items():
                        yield ".".join((name, *map(str, path))), column


def _lanes(
    arena: Arena, shape: tuple[int, ...], dtype: torch.dtype, layout: Layout, aligned: bool
) -> Iterator[Lane]:
    size, row, first = dtype.itemsize, 0, 0
    for count, group in itertools.groupby(layout.scopes):
        members = len(list(group))
        used = count * math.prod(shape)
        step = layout.step(used * size, aligned) // size
        flat = arena.take(members * step, dtype).view(members, step)
        yield Lane(
            slots=flat[:, :used].view(members, count, *shape),
            gaps=flat.view(torch.uint8)[:, used * size :],
            rows=slice(row, row + members * count),
            first=first,
        )
        row, first = row + members * count, first + members
