"""Which faults are injected: every action in every phase once, then as many more as asked for.

Fault number n of a seed is the same however many are injected.
"""

from __future__ import annotations

import random
from typing import Any

STEPS = 8
METRICS_INTERVAL = 4
PHASES = (
    "load",
    "setup",
    "pre_interaction",
    "act",
    "record",
    "post_interaction",
    "metrics",
    "state",
)
IN_STEPS = ("pre_interaction", "act", "record", "post_interaction")
IN_EVALUATION = ("load", "setup", "act")
RAISING = (
    *("raise", "raise-two", "raise-lock", "raise-long"),
    *("sys-exit", "interrupt", "memory", "memory-python"),
)
DYING = ("kill", "term", "segv", "abort", "bus", "exit")
HANGING = ("hang-sleep", "hang-loop", "hang-lock", "stop")
ACTIONS = (*RAISING, *DYING, *HANGING)
SITES = [(phase, action) for phase in PHASES for action in ACTIONS]
SITES.append(("state", "unpicklable-state"))
TIMEOUT = 0.4  # seconds, for faults that hang
PATIENT = 60.0
SPAWNED = 0.015  # of all faults: a fresh interpreter per worker takes seconds


def plan(count: int, seed: int) -> list[dict[str, Any]]:
    """Choose faults.

    Args:
        count: How many.
        seed: What all choices start from.
    """
    return [_fault(number, random.Random(f"{seed}:{number}")) for number in range(count)]


def _fault(number: int, chosen: random.Random) -> dict[str, Any]:
    known = number < len(SITES)
    phase, action = SITES[number] if known else (chosen.choice(PHASES), chosen.choice(ACTIONS))
    members = chosen.choice((2, 3))
    evaluates = phase in IN_EVALUATION and chosen.random() < 0.2
    # The limits for hanging are shorter than a fresh interpreter takes to start.
    spawned = action not in HANGING and chosen.random() < SPAWNED
    return {
        "number": number,
        "phase": phase,
        "action": action,
        "step": chosen.randrange(STEPS),
        "members": members,
        "member": chosen.randrange(members),
        "processes": chosen.choice((None, None, 2, 1, "auto")),
        "policy": chosen.choice(("raise", "continue")),
        "start_method": "spawn" if spawned else chosen.choice(("auto", "forkserver")),
        "mode": "eval" if evaluates else "train",
        "saves": chosen.random() < 0.25,
        "again": chosen.random() < 0.25,
        "timeout": TIMEOUT if action in HANGING else PATIENT,
    }


LABELLED = (
    *("number", "phase", "action", "step", "member", "members"),
    *("processes", "policy", "start_method", "mode"),
)


def label(fault: dict[str, Any]) -> str:
    """Name a fault for the test report."""
    return "-".join(str(fault[key]) for key in LABELLED)


def workers(fault: dict[str, Any], cores: int) -> int:
    """Number of worker processes."""
    wanted = {None: fault["members"], "auto": cores}.get(fault["processes"], fault["processes"])
    return min(fault["members"], wanted)


def casualties(fault: dict[str, Any], cores: int) -> list[int]:
    """Members that fail: the faulty one, and those that share a process that dies with it."""
    if fault["action"] not in (*DYING, *HANGING):
        return [fault["member"]]
    count, processes = fault["members"], workers(fault, cores)
    small, more = divmod(count, processes)
    place = [n for n in range(processes) for _ in range(small + (n < more))]
    return [index for index in range(count) if place[index] == place[fault["member"]]]


def timestep(fault: dict[str, Any]) -> int | None:
    """The timestep that the error must name."""
    if fault["phase"] in IN_STEPS:
        return int(fault["step"])
    if fault["phase"] == "state" and fault["saves"] and fault["mode"] == "train":
        return None  # the first checkpoint asks for it before the first timestep
    return {"metrics": METRICS_INTERVAL, "state": STEPS - 1}.get(fault["phase"])


SIGNALS = ("SIGINT", "SIGTERM", "SIGKILL")


def moments(count: int, seed: int) -> list[tuple[str, bool, float]]:
    """Choose signals for a script: which, whether to its whole process group, after what time."""
    found = []
    for number in range(count):
        chosen = random.Random(f"moment {seed}:{number}")
        name = SIGNALS[number % len(SIGNALS)]
        found.append((name, chosen.random() < 0.5, round(chosen.uniform(0, 2.5), 3)))
    return found
