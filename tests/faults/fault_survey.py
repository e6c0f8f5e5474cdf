"""Looks for what a fault left behind: processes, descriptors, names in ``/dev/shm``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection

SHM_SECONDS = 5.0


def processes(session: int, known: Collection[int] = ()) -> list[str]:
    """Processes of a session, as "PID STATE", but for those that are known.

    Dead ones that nobody took note of (state Z) are among them.
    """
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and int(name) not in known:
            found.append(f"{name} {fields[0]}")
    return found


def living(session: int) -> list[int]:
    """Process ids of those that live."""
    found = (process.split() for process in processes(session))
    return [int(pid) for pid, state in found if state not in "ZX"]


def kill_all(session: int) -> None:
    """Kill all processes of a session."""
    for pid in living(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def descriptors(pid: int) -> int:
    """Number of open descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def new_in_shm(before: Collection[str]) -> list[str]:
    """What came to ``/dev/shm`` and stays; what other programs have there does not count."""
    patience = Patience(SHM_SECONDS)
    while True:
        found = set(os.listdir("/dev/shm")) - set(before)
        if not found or not patience.left:
            return sorted(found and found - _of_others())
        patience.nap()


def _of_others() -> set[str]:
    """Names in ``/dev/shm`` that belong to another user, or are in use by another session."""
    names = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(name)) != os.getsid(0):
                with open(f"/proc/{name}/maps") as file:
                    lines = [line for line in file if "/dev/shm/" in line]
                names |= {line.rpartition("/dev/shm/")[2].split()[0] for line in lines}
        except OSError:
            continue
    with os.scandir("/dev/shm") as entries:
        foreign = {entry.name for entry in entries if entry.stat().st_uid != os.getuid()}
    return names | foreign


class Patience:
    """A time limit that does not count time in which this process was not let run.

    On a machine under load everything is late, the process that waits too: it counts its own
    naps, not the clock's seconds.

    Args:
        seconds: The limit, on an idle machine.
    """

    NAP = 0.01

    def __init__(self, seconds: float) -> None:
        self._naps = int(seconds / self.NAP)

    @property
    def left(self) -> bool:
        """Whether there is time left."""
        return self._naps > 0

    def nap(self) -> None:
        """Wait for a moment."""
        self._naps -= 1
        time.sleep(self.NAP)


class Stalls:
    """Notes when this process was not let run: then others were not either."""

    LONGEST = 0.05  # seconds between two looks that are no stall

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._found: list[tuple[float, float]] = []

    def look(self) -> None:
        """Note the time; to be called over and over."""
        last, self._last = self._last, time.monotonic()
        if self._last - last > self.LONGEST:
            self._found.append((last, self._last))

    def seconds_without(self, start: float, stop: float) -> float:
        """Seconds from one time to the other, stalls left out."""
        lost = (min(stop, end) - max(start, begin) for begin, end in self._found)
        return stop - start - sum(seconds for seconds in lost if seconds > 0)
