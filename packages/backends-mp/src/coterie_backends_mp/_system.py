"""What the kernel does for us, where it can."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterable

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; leave at once if it has.

    Only Linux can do that. The parent's main thread counts, so it must be the one that starts
    this process.

    Args:
        parent: Process id that the parent must have.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def kill_group(leader: int) -> None:
    """Kill a process and all that it started and that stayed in its group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)


def open_pidfd(pid: int) -> int | None:
    """Open a descriptor that becomes readable when a process ends; ``None`` without such."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def open_descriptors() -> int | None:
    """Number of descriptors that this process has open; ``None`` if that can't be known."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder)) - 1
        except OSError:
            continue
    return None


def usable_cores() -> int:
    """Number of cores that this process may run on."""
    return len(known_cores()) or os.cpu_count() or 1


def known_cores() -> list[int]:
    """The cores that this process may run on; empty where that can't be known."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:
        return []


def stay_on(cores: Iterable[int]) -> None:
    """Let this process run on some cores only, as far as that is possible."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, cores)
