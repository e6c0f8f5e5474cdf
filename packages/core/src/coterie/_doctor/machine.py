"""Cores, threads, load and memory."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from .cgroup import cpu_quota, memory_room
from .finding import Finding, Verdict, size_text

_LITTLE_MEMORY = 2**30
_THREADS = "OMP_NUM_THREADS"


@frozen(kw_only=True)
class Cores:
    """The cores of a machine.

    Attributes:
        total: Cores that the machine has.
        allowed: Cores that this process may run on (its affinity).
        quota: Cores' worth of time that its control group may use; ``None``: no limit.
    """

    total: int
    allowed: int
    quota: float | None = None

    @property
    def usable(self) -> int:
        """Cores that work can be spread over, at least 1."""
        whole = self.allowed if self.quota is None else min(self.allowed, math.floor(self.quota))
        return max(1, whole)


def find_cores() -> Cores:
    """Look up the cores of this machine."""
    total = os.cpu_count() or 1
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        allowed = total
    return Cores(total=total, allowed=allowed, quota=cpu_quota())


def check_cores(cores: Cores) -> Finding:
    """Tell how many cores can be used, and what takes the others away."""
    value, advice = f"{cores.usable} usable", ""
    if cores.allowed < cores.total:
        value += f", of {cores.total}: this process may run on {cores.allowed}"
    if cores.quota is not None and cores.quota < cores.allowed:
        value += f"; the container may use the time of {cores.quota:g}"
        advice = (
            f"the container sees {cores.allowed} cores, but is stopped when it uses more than "
            f"{cores.quota:g} of them: give it whole cores (docker run --cpuset-cpus), or use at "
            f"most {cores.usable} threads and workers in all"
        )
    facts = {
        "total": cores.total,
        "allowed": cores.allowed,
        "quota": cores.quota,
        "usable": cores.usable,
    }
    return Finding(
        section="machine",
        name="cores",
        value=value,
        verdict="note" if advice else "ok",
        advice=advice,
        facts=facts,
    )


def check_threads(threads: int, environment: Mapping[str, str], cores: Cores) -> Finding:
    """Judge the number of torch's threads, and what ``OMP_NUM_THREADS`` says.

    Args:
        threads: Threads that torch takes in a script that sets none.
        environment: Environment variables.
        cores: The cores.
    """
    said = environment.get(_THREADS, "").strip()
    commands = threads if said else 1
    value = f"{threads} in scripts, {commands} in coterie's commands"
    facts = {"torch": threads, "commands": commands, _THREADS: said or None}
    verdict: Verdict = "ok"
    advice = ""
    if threads > cores.usable:
        verdict = "problem" if said else "note"
        advice = (
            f"torch takes {threads} threads on {cores.usable} cores, where threads wait for each "
            f"other: set {_THREADS}=1 (small networks), or at most {cores.usable}"
        )
    elif threads > 1:
        verdict = "note"
        advice = (
            f"small networks are quickest on one thread: start scripts with {_THREADS}=1"
            if not said
            else f"{_THREADS}={said}: small networks are quickest with {_THREADS}=1"
        )
    return Finding(
        section="machine",
        name="torch threads",
        value=value + (f" ({_THREADS}={said})" if said else ""),
        verdict=verdict,
        advice=advice,
        facts=facts,
    )


def check_load(load: float | None, cores: Cores) -> Finding:
    """Tell whether other programs use the cores.

    Args:
        load: Mean number of running processes over the last minute, on the whole machine;
            ``None``: not known here.
        cores: The cores.
    """
    if load is None:
        return Finding(section="machine", name="load", value="not known here")
    busy = load / max(1, cores.total) >= 0.5
    value = f"{load:.1f} on {cores.total} cores over the last minute"
    if busy:
        value += ": other programs are at work, so trials and trainings are slower"
    return Finding(
        section="machine",
        name="load",
        value=value,
        verdict="note" if busy else "ok",
        facts={"load": round(load, 2)},
    )


def find_load() -> float | None:
    """Look up the load over the last minute; ``None`` where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def check_memory(root: Path = Path("/")) -> Finding:
    """Tell how much memory there is, what is free, and what a container may use.

    Args:
        root: Where the file system starts.
    """
    known = _meminfo(root)
    total, free = known.get("MemTotal"), known.get("MemAvailable")
    group = memory_room(root)
    value = "not known here"
    if total is not None and free is not None:
        value = f"{size_text(free)} free of {size_text(total)}"
    facts = {"total": total, "free": free, "limit": None, "limit_free": None}
    rooms = [] if free is None else [free]
    if group is not None and group[0] < (total or math.inf):
        value += f"; the container may use {size_text(group[0])}, {size_text(group[1])} are left"
        facts |= {"limit": group[0], "limit_free": group[1]}
        rooms.append(group[1])
    little = bool(rooms) and min(rooms) < _LITTLE_MEMORY
    return Finding(
        section="machine",
        name="memory",
        value=value,
        verdict="note" if little else "ok",
        advice="a process with torch takes about 0.3 GiB: with so little, use few workers "
        "(processes=) or a trainer without any"
        if little
        else "",
        facts=facts,
    )


def _meminfo(root: Path) -> dict[str, int]:
    """Sizes in bytes that the kernel tells; empty where it tells none."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    rows = (line.replace(":", " ").split() for line in lines)
    return {row[0]: int(row[1]) * 1024 for row in rows if len(row) == 3 and row[1].isdigit()}
