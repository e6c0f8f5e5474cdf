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

_PATIENT, _BRIEF = 2_000_000, 100_000  # nanoseconds: how long to wait, with hope and without
_MOST_HOPE = 8
_STOLEN = 1_000_000  # for so long the core goes to others who want it for themselves
_FIRST_REST, _LONGEST_REST = 16, 1024
_LOOKS = 20  # before the core is left to others, which costs a system call
_SHARED = 2_500  # if that took so many nanoseconds, there are others, and one look must do


class Spinner:
    """Looks at shared memory, leaving the core to others in between, before somebody sleeps.

    It looks for longer than most waits take; where the last ones took much longer than that, it
    soon gives up.

    Where other programs want the cores, each look can cost a time slice of theirs: if it finds that
    twice in a row it rests for a number of times, and for twice as many if it finds the same again.
    """

    def __init__(self) -> None:
        self._rest = 0
        self._hope = 1
        self._since = 0
        self._next_rest = 0  # once is no rule: a member of one's own may have learned there

    def wait(self, happened: Callable[[], bool]) -> bool:
        """Wait for something to happen.

        Args:
            happened: Looks whether it has.

        Returns:
            Whether it happened in time; else the caller should sleep until it does.
        """
        if happened():
            return True
        now, leave = time.perf_counter_ns, os.sched_yield
        self._since = now()
        if self._rest > 0 or not _AVAILABLE:
            self._rest -= 1
            return False
        end = self._since + (_PATIENT if self._hope > 0 else _BRIEF)
        while (here := now()) < end:
            leave()
            away = now() - here
            if away > _STOLEN:
                self._rest = self._next_rest
                self._next_rest = min(max(_FIRST_REST, 2 * self._next_rest), _LONGEST_REST)
                return happened()
            for _ in range(1 if away > _SHARED else _LOOKS):
                if happened():
                    self._next_rest = 0
                    self._hope = min(self._hope + 1, _MOST_HOPE)
                    return True
        return False

    def woke(self) -> None:
        """Learn that the sleep after the last wait is over, from how long both took together."""
        in_time = time.perf_counter_ns() - self._since < _PATIENT
        self._hope = min(self._hope + 1, _MOST_HOPE) if in_time else max(self._hope - 1, 0)
