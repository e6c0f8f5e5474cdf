"""How many processes, which members in which, and how many threads each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

T = TypeVar("T")


def count_processes(wanted: int | Literal["auto"] | None, members: int, cores: int) -> int:
    """Number of worker processes.

    Args:
        wanted: What the configuration says; ``None``: one per member; ``"auto"``: no more than
            there are cores.
        members: Number of members.
        cores: Number of cores.
    """
    if wanted is None:
        return members
    return min(members, cores if wanted == "auto" else wanted)


def place(members: Sequence[T], processes: int) -> list[tuple[T, ...]]:
    """Split the members into neighbours, as equal in number as can be.

    Returns:
        The members of each process; none is empty.
    """
    small, more = divmod(len(members), processes)
    groups, start = [], 0
    for number in range(processes):
        stop = start + small + (number < more)
        groups.append(tuple(members[start:stop]))
        start = stop
    return groups


def count_threads(wanted: int | None, processes: int, cores: int) -> int:
    """Number of torch's threads in each worker."""
    return max(1, cores // processes) if wanted is None else wanted


def choose_cores(
    wanted: bool | None, processes: int, threads: int, cores: Sequence[int], first: int
) -> list[int | None]:
    """Choose the core that each process shall stay on.

    Where there are as many processes as cores, the kernel tends to queue two of them on one core
    while the trainer's own process keeps another busy for a moment; then each of the two waits
    for the other, at every step. With cores to spare it does well without advice.

    Args:
        wanted: Whether they shall stay; ``None``: where there are at least as many processes
            as cores, and each has one thread.
        processes: Number of processes.
        threads: Threads of each.
        cores: The cores that may be used; empty: not known.
        first: Where to begin, so that trainers side by side do not all begin with one core.

    Returns:
        A core for each process; ``None``: any.
    """
    if wanted is None:
        wanted = processes >= len(cores) > 1 and threads == 1
    if not wanted or not cores:
        return [None] * processes
    return [cores[(first + number) % len(cores)] for number in range(processes)]
