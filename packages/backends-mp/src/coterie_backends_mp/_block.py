"""The shared block: one piece of memory for everything that is exchanged at each step.

It is an anonymous file that all processes map: nothing in ``/dev/shm`` is left behind, whoever
dies, and the size of ``/dev/shm`` does not matter. Its pages are reserved when it is made, so that
a lack of memory is an exception then, and never a SIGBUS later.
"""

from __future__ import annotations

import errno
import mmap
import os

import torch

from coterie import Interface, SharedMemoryError

from ._arrays import Arena, Arrays, Layout
from ._board import Board, board_size
from ._channel import anonymous_file


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

    def arrays(self, interface: Interface, layout: Layout) -> Arrays:
        """Lay tensors over the block; every process lays them alike.

        Args:
            interface: Spaces and number of instances of the environment.
            layout: How they lie.
        """
        memory = torch.frombuffer(self._memory, dtype=torch.uint8)
        return Arrays(Arena(memory, board_size(self._workers)), interface, layout)


def arrays_size(interface: Interface, layout: Layout) -> int:
    """Bytes that the tensors take in a memory of their own."""
    arena = Arena(None)
    Arrays(arena, interface, layout)
    return arena.size


def block_size(interface: Interface, layout: Layout, workers: int) -> int:
    """Bytes that a block takes: whole cache lines of words, then the tensors."""
    return board_size(workers) + arrays_size(interface, layout)


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
