"""The shared block: one piece of memory for everything that is exchanged at each step.

It is an anonymous file that all processes map: nothing in ``/dev/shm`` is left behind, whoever
dies, and the size of ``/dev/shm`` does not matter. Its pages are reserved when it is made, so that
a lack of memory is an exception then, and never a SIGBUS later.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
from collections.abc import Sequence
from typing import Any

import torch

from coterie import Interface, SharedMemoryError
from coterie.spaces import build_tree, space_leaves

from ._board import Board, board_size
from ._channel import anonymous_file

_LINE = 64  # bytes of a cache line: no two arrays share one


class Arena:
    """Hands out aligned tensors, one after the other; without memory it only counts.

    Args:
        memory: The memory; ``None``: only count.
        start: First byte that may be used.
    """

    def __init__(self, memory: mmap.mmap | None, start: int) -> None:
        self._memory = memory
        self.size = start

    def tensor(self, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor | None:
        """Take the next tensor of this shape and type."""
        start = -(-self.size // _LINE) * _LINE
        count = math.prod(shape)
        self.size = start + count * dtype.itemsize
        if self._memory is None:
            return None
        if count == 0:
            return torch.empty(tuple(shape), dtype=dtype)
        flat = torch.frombuffer(self._memory, dtype=dtype, count=count, offset=start)
        return flat.reshape(tuple(shape))

    def tree(self, space: Any, rows: int) -> Any:
        """Take a tree of tensors ``[rows, ...]`` of a space."""
        leaves = {
            leaf.path: self.tensor((rows, *leaf.shape), leaf.dtype) for leaf in space_leaves(space)
        }
        return build_tree(space, leaves)


class Arrays:
    """The tensors of a block.

    What goes to the workers is one array for the whole environment, which is filled with one
    copy; what comes from them is an array per member, so that no two write to one cache line.

    Args:
        arena: Where the tensors come from.
        interface: Spaces and number of instances of the environment.
        scopes: Number of instances of each member.
    """

    def __init__(self, arena: Arena, interface: Interface, scopes: Sequence[int]) -> None:
        rows = interface.num_envs
        state_space = interface.state_space
        self.observations = arena.tree(interface.observation_space, rows)
        self.final_observations = arena.tree(interface.observation_space, rows)
        self.states = None if state_space is None else arena.tree(state_space, rows)
        self.final_states = None if state_space is None else arena.tree(state_space, rows)
        self.rewards: Any = arena.tensor((rows,), torch.float32)
        self.terminated: Any = arena.tensor((rows,), torch.bool)
        self.truncated: Any = arena.tensor((rows,), torch.bool)
        self.valid: Any = arena.tensor((rows,), torch.bool)
        self.actions = [arena.tree(interface.action_space, count) for count in scopes]


class Block:
    """A mapped block: the words of :attr:`board`, and :meth:`arrays` behind them.

    Args:
        fd: Descriptor of the block; it stays the caller's.
        workers: Number of workers.
    """

    def __init__(self, fd: int, workers: int) -> None:
        self._memory = mmap.mmap(fd, os.fstat(fd).st_size)
        self._workers = workers
        self.board = Board(self._memory, workers)

    def arrays(self, interface: Interface, scopes: Sequence[int]) -> Arrays:
        """Lay tensors over the block; every process lays them alike.

        Args:
            interface: Spaces and number of instances of the environment.
            scopes: Number of instances of each member.
        """
        return Arrays(Arena(self._memory, board_size(self._workers)), interface, scopes)


def block_size(interface: Interface, scopes: Sequence[int], workers: int) -> int:
    """Bytes that a block takes."""
    arena = Arena(None, board_size(workers))
    Arrays(arena, interface, scopes)
    return arena.size


def make_block(size: int) -> int:
    """Reserve memory for a block.

    Args:
        size: Bytes.

    Returns:
        The descriptor of an anonymous file of zeros.

    Raises:
        SharedMemoryError: There is not enough memory; needed and free bytes are told.
    """
    free = _free_bytes()
    if free is not None and size > free:
        raise SharedMemoryError(_lack(size, free, "there is less free memory than that"))
    fd = anonymous_file("coterie-block")
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
        else:
            os.ftruncate(fd, size)
    except OSError as error:
        os.close(fd)
        reason = f"{os.strerror(error.errno or errno.ENOMEM)}"
        raise SharedMemoryError(_lack(size, free, reason)) from error
    return fd


def _lack(size: int, free: int | None, reason: str) -> str:
    known = "an unknown number of" if free is None else f"{free:,}"
    return (
        f"the block that the members share needs {size:,} bytes, {known} bytes are free: {reason}; "
        "use fewer instances or smaller observations"
    )


def _free_bytes() -> int | None:
    """Memory that can still be had, as the kernel estimates it."""
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
