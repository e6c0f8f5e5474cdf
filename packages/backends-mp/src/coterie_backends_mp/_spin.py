"""Waiting awake, for a moment, where that is cheaper than falling asleep.

Sleeping and being woken up takes 5 microseconds on a busy core, but 50 to 100 on one that the
kernel has put to sleep, which is the rule when everybody waits for one member.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable

_AVAILABLE = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
"""Only where stores become visible in their order, so that what is announced is there, and where
a wake-up that nobody slept for can be left to pile up, as in an eventfd."""

_NANOSECONDS = 500_000  # how long to wait
_STOLEN = 1_000_000  # for so long the core goes to others who want it for themselves
_LONGEST_REST = 1024
_LOOKS = 20  # before the core is left to others, which costs a system call


class Spinner:
    """Looks at shared memory, leaving the core to others in between, before somebody sleeps.

    Where other programs want the cores, each look can cost a time slice of theirs: then it rests
    for a number of times, and for twice as many if it finds the same again.
    """

    def __init__(self) -> None:
        self._rest = 0
        self._next_rest = 16

    def wait(self, happened: Callable[[], bool]) -> bool:
        """Wait for something to happen.

        Args:
            happened: Looks whether it has.

        Returns:
            Whether it happened in time; else the caller should sleep until it does.
        """
        if happened():
            return True
        if self._rest > 0 or not _AVAILABLE:
            self._rest -= 1
            return False
        now, leave = time.perf_counter_ns, os.sched_yield
        last = now()
        end = last + _NANOSECONDS
        while last < end:
            leave()
            for _ in range(_LOOKS):
                if happened():
                    self._next_rest = 16
                    return True
            here = now()
            if here - last > _STOLEN:
                self._rest = self._next_rest
                self._next_rest = min(2 * self._next_rest, _LONGEST_REST)
                return False
            last = here
        return False
