"""Shared memory, file descriptors, processes, start methods and folders."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .cgroup import process_room
from .finding import Finding, Verdict, size_text

_limit = partial(Finding, "limits")

_SMALL_SHARED = 2**26  # what a container has unless it is told otherwise
_FEW_DESCRIPTORS, _TOO_FEW_DESCRIPTORS = 1024, 128
_FEW_PROCESSES = 64
_LITTLE_DISK = 2**29


def check_shared_memory(folder: Path = Path("/dev/shm")) -> Finding:
    """Judge the folder that shared memory with a name lives in.

    Args:
        folder: The folder.
    """
    name = str(folder)
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        if sys.platform != "linux":
            return _limit(name, "this system has none, and needs none")
        return _limit(name, "missing", "problem", _no_shared_memory(name))
    value = f"{size_text(usage.free)} free of {size_text(usage.total)}"
    facts = {"total": usage.total, "free": usage.free}
    if not os.access(folder, os.W_OK):
        return _limit(name, "can't be written to", "problem", _no_shared_memory(name), facts)
    if usage.free < 2**20:
        advice = f"{name} is full: remove what programs that died have left in it"
        return _limit(name, value, "problem", advice, facts)
    if usage.total <= _SMALL_SHARED:
        advice = (
            "tensors that a script shares, and asynchronous environments with large observations, "
            "need more (docker run --shm-size=1g); the trainers do without it"
        )
        return _limit(name, value, "note", advice, facts)
    return _limit(name, value, facts=facts)


def _no_shared_memory(name: str) -> str:
    return f"locks between processes live in {name}: mount it (mount -t tmpfs tmpfs {name})"


def check_descriptors() -> Finding:
    """Judge how many file descriptors this process may open."""
    try:
        import resource
    except ImportError:
        return _limit("file descriptors", "this system has no limit of its own")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    return judge_descriptors(
        None if soft == unlimited else soft, None if hard == unlimited else hard, _open()
    )


def judge_descriptors(soft: int | None, hard: int | None, used: int | None) -> Finding:
    """Judge limits of file descriptors.

    Args:
        soft: How many may be open; ``None``: any number.
        hard: What ``soft`` may be raised to; ``None``: any number.
        used: How many are open; ``None``: not known.
    """
    facts = {"allowed": soft, "can_be_raised_to": hard, "open": used}
    if soft is None:
        return _limit("file descriptors", "no limit", facts=facts)
    value = f"{soft} allowed" + ("" if used is None else f", {used} open")
    left = soft - (used or 0)
    if soft >= _FEW_DESCRIPTORS and left >= _TOO_FEW_DESCRIPTORS:
        return _limit("file descriptors", value, facts=facts)
    wanted = 4096 if hard is None else min(4096, hard)
    how = (
        f"raise the limit: ulimit -n {wanted}"
        if hard is None or hard > soft
        else "have the limit raised (/etc/security/limits.conf, docker run --ulimit nofile=4096)"
    )
    verdict: Verdict = "problem" if left < _TOO_FEW_DESCRIPTORS else "note"
    advice = f"{how}; every worker process needs some"
    return _limit("file descriptors", value, verdict, advice, facts)


def check_processes() -> Finding:
    """Judge how many processes and threads may be started."""
    return judge_processes(_user_limit(), process_room())


def _user_limit() -> int | None:
    """How many processes the user may have in all; ``None``: any number."""
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    except (ImportError, AttributeError):
        return None
    bound = soft != resource.RLIM_INFINITY and os.geteuid() != 0  # it does not bind root
    return soft if bound else None


def judge_processes(user: int | None, group: tuple[int, int] | None) -> Finding:
    """Judge limits of processes.

    Args:
        user: How many the user may have in all; ``None``: any number.
        group: How many the container may have, and how many more it may start; ``None``: any
            number.
    """
    texts = []
    if user is not None:
        texts.append(f"{user} allowed for this user")
    if group is not None:
        texts.append(f"{group[0]} allowed in this container, {group[1]} more can be started")
    facts = {
        "user": user,
        "container": None if group is None else group[0],
        "container_left": None if group is None else group[1],
    }
    value = "; ".join(texts) or "no limit"
    few = (user is not None and user < _FEW_PROCESSES) or (
        group is not None and group[1] < _FEW_PROCESSES
    )
    advice = (
        "each worker is a process with several threads: raise the limit (ulimit -u, docker run "
        "--pids-limit), or use few workers"
    )
    return _limit("processes", value, "note" if few else "ok", advice if few else "", facts)


def check_start_methods(methods: Sequence[str] | None = None) -> Finding:
    """Tell by which methods processes can be started.

    Args:
        methods: The methods; ``None``: those of this system.
    """
    found = list(multiprocessing.get_all_start_methods() if methods is None else methods)
    fine = "spawn" in found
    return _limit(
        "start methods",
        ", ".join(found) or "none",
        "ok" if fine else "problem",
        "" if fine else "processes can't be started here: use a trainer without worker processes",
        {"methods": found},
    )


def check_folder(name: str, folder: Path) -> Finding:
    """Judge a folder that is written to: whether it can be, and how much room it has.

    Args:
        name: What it is for.
        folder: The folder; it need not exist if it can be made.
    """
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
        free = shutil.disk_usage(place).free
    except OSError as error:
        reason = error.strerror or type(error).__name__
        advice = f"{folder}: {reason}; {_elsewhere(name)}"
        return _limit(name, f"{folder} can't be written to", "problem", advice)
    little = free < _LITTLE_DISK
    return _limit(
        name,
        f"{folder}, {size_text(free)} free",
        "note" if little else "ok",
        f"little room for {name}: make some, or {_elsewhere(name)}" if little else "",
        {"folder": str(folder), "free": free},
    )


def _elsewhere(name: str) -> str:
    if name == "temporary files":
        return "let TMPDIR name another folder"
    return "work in another folder, or give --run-dir"


def _open() -> int | None:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder)) - 1
        except OSError:
            continue
    return None
