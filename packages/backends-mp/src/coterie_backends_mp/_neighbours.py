"""Whether other programs want the cores that workers stay on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from attrs import field, frozen

_SPAN = 1.0  # seconds between two looks, at least; what comes in bursts shall not count
_SHARE = 0.3  # of a core: so much for others, and nobody stays
_QUIET = 0.3  # of a core, for others on all cores together: so little, and all may come back
_QUIET_LOOKS = 2
_TICK = 1.0 / (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)
_PROC = Path("/proc")


@frozen(kw_only=True)
class Usage:
    """Seconds that were computed until some moment.

    Attributes:
        cores: On each core, by anybody.
        workers: By each worker, by process id.
        own: By this process.
        at: Seconds on a clock that never goes back.
    """

    cores: Mapping[int, float]
    workers: Mapping[int, float]
    own: float = field(factory=time.process_time)
    at: float = field(factory=time.monotonic)


class Neighbours:
    """Decides, once a second at most, whether workers stay on their cores.

    How long a process waits for its core does not tell: workers and trainer wait for each other
    in turn, and one that looks for news stands aside while it does. So it is asked how much of a
    core is used by anybody else.

    Args:
        places: The core of each worker, by process id.
        measure: Tells what was computed; ``None``: asks the kernel, where that is Linux.
    """

    def __init__(
        self, places: Mapping[int, int], measure: Callable[[], Usage | None] | None = None
    ) -> None:
        self.places = places
        self._measure = measure or (lambda: measured(set(places.values()), places))
        self._before: Usage | None = None
        self._quiet = 0
        self._next = 0.0
        self.stay = True

    def look(self, now: float) -> bool:
        """Whether workers shall stay on their cores; it is looked again if it is time for that.

        Args:
            now: Seconds on the clock of :class:`Usage`.
        """
        if now < self._next:
            return self.stay
        usage, before = self._measure(), self._before
        self._before = usage
        # Where looking takes long, as on machines of very many cores, it is done less often.
        self._next = now + max(_SPAN, 200 * (time.monotonic() - now))
        if usage is None or before is None:
            return self.stay
        if self.stay:
            self._quiet = 0
            self.stay = self._most(before, usage) <= _SHARE
        else:
            self._quiet = self._quiet + 1 if self._all(before, usage) < _QUIET else 0
            self.stay = self._quiet >= _QUIET_LOOKS
        return self.stay

    def _most(self, before: Usage, after: Usage) -> float:
        """Share of a core that others use on the core where they use most."""
        others = _differences(before.cores, after.cores)
        for pid, seconds in _differences(before.workers, after.workers).items():
            others[self.places[pid]] -= seconds
        # This process can be on any core: it counts as if all of it were on this one.
        return (max(others.values()) - (after.own - before.own)) / (after.at - before.at)

    def _all(self, before: Usage, after: Usage) -> float:
        """Cores that others use, in sum over all cores."""
        used = sum(_differences(before.cores, after.cores).values())
        known = sum(_differences(before.workers, after.workers).values()) + after.own - before.own
        return (used - known) / (after.at - before.at)


def measured(cores: Collection[int], pids: Collection[int]) -> Usage | None:
    """Ask the kernel what was computed; ``None`` where it does not tell.

    Programs that have lowered their priority count only where this one has, too.

    Args:
        cores: Which cores.
        pids: Which processes; those that ended are left out.
    """
    niced = hasattr(os, "getpriority") and os.getpriority(os.PRIO_PROCESS, 0) > 0
    try:
        lines = (_PROC / "stat").read_text().splitlines()
    except OSError:
        return None
    used = {}
    for line in lines[1:]:
        name, *numbers = line.split()
        if not name.startswith("cpu"):
            break
        user, nice, system = (int(number) * _TICK for number in numbers[:3])
        if int(name[3:]) in cores:
            used[int(name[3:])] = user + system + (nice if niced else 0.0)
    workers = {pid: seconds for pid in pids if (seconds := _seconds_of(pid)) is not None}
    return Usage(cores=used, workers=workers) if used else None


def _seconds_of(pid: int) -> float | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def _differences(before: Mapping[int, float], after: Mapping[int, float]) -> dict[int, float]:
    return {key: value - before[key] for key, value in after.items() if key in before}
