"""Which faults are injected: every action in every phase once, then as many more as asked for."""

from __future__ import annotations

import random
from typing import Any

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
RAISING = ("raise", "raise-two", "raise-lock", "raise-long", "sys-exit", "interrupt", "memory")
DYING = ("kill", "term", "segv", "abort", "bus", "exit")
HANGING = ("hang-sleep", "hang-loop", "hang-lock", "stop")
ACTIONS = (*RAISING, *DYING, *HANGING)
TIMEOUT = 0.4  # seconds, for faults that hang
PATIENT = 60.0


def plan(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Choose faults.

    Args:
        count: How many.
        seed: What the choice of members, steps and settings starts from.
    """
    chosen = random.Random(seed)
    sites = [(phase, action) for phase in PHASES for action in ACTIONS]
    sites.append(("state", "unpicklable-state"))
    while len(sites) < count:
        sites.append((chosen.choice(PHASES), chosen.choice(ACTIONS)))
    return [_fault(chosen, phase, action) for phase, action in sites[:count]]


def _fault(chosen: random.Random, phase: str, action: str) -> dict[str, Any]:
    members = chosen.choice((2, 3))
    return {
        "phase": phase,
        "action": action,
        "step": chosen.randrange(8),
        "members": members,
        "member": chosen.randrange(members),
        "processes": chosen.choice((None, None, 2, 1)),
        "policy": chosen.choice(("raise", "continue")),
        "timeout": TIMEOUT if action in HANGING else PATIENT,
    }


def label(fault: dict[str, Any]) -> str:
    """Name a fault for the test report."""
    return "-".join(
        str(fault[key])
        for key in ("phase", "action", "step", "member", "members", "processes", "policy")
    )
