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
