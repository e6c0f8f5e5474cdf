"""Whatever happens to a worker, the user sees the right error and nothing is left behind.

``COTERIE_FAULTS`` sets how many faults are injected, ``COTERIE_FAULTS_SEED`` which.
"""

from __future__ import annotations

import os
from typing import Any

import fault_plan as plan

SIGNALS = {
    "kill": "SIGKILL",
    "term": "SIGTERM",
    "segv": "SIGSEGV",
    "abort": "SIGABRT",
    "bus": "SIGBUS",
    "exit": None,
}
RAISED = {
    "raise": ("ValueError", "no such luck"),
    "raise-two": ("TwoArgumentsError", "no such and luck"),
    "raise-lock": ("LockError", "no such luck"),
    "raise-long": ("ValueError", "no such luck"),
    "sys-exit": ("SystemExit", "4"),
    "interrupt": ("KeyboardInterrupt", "no such luck"),
    "memory": ("RuntimeError", "memory"),
    "memory-python": ("MemoryError", ""),
    "unpicklable-state": ("TypeError", "pickle"),
}
CAUSES = {"raise": "ValueError", "sys-exit": "SystemExit", "memory-python": "MemoryError"}
HINTS = {"kill": "out-of-memory killer", "bus": "/dev/shm"}
SHOWS_ITS_STACK = ("segv", "abort", "hang-sleep", "hang-loop", "hang-lock")
GRACE_SECONDS = 2.0  # from the fault to the exception, beside the time limit of what hangs
DUMP_SECONDS = 1.0  # that a process which hangs has to write its stack
CORES = len(os.sched_getaffinity(0))


def test_a_fault(arena: Any, fault: dict[str, Any]) -> None:
    seen = arena.meet(fault)
    check_nothing_is_left(seen)
    failed = plan.casualties(fault, CORES)
    if goes_on(fault, failed):
        assert seen["error"] is None, seen["text"]
        check_others(fault, failed, seen)
    else:
        assert seen["error"] == expected_class(fault)
        check_error(fault, failed, seen)
        check_text(fault, seen["text"])
        check_notes(fault, seen["notes"])
        check_time(arena, fault, seen["delay"])
    check_saved(fault, failed, seen["saved"])
    if fault["again"]:
        assert seen["again"] == ["trained"] * fault["members"]


def goes_on(fault: dict[str, Any], failed: list[int]) -> bool:
    """Whether the run is to end without an exception: it can go on, or has come to its end."""
    in_a_checkpoint = fault["saves"] and fault["mode"] == "train"  # else states are asked for last
    at_the_end = fault["phase"] == "state" and not in_a_checkpoint
    enough = len(failed) < fault["members"] or at_the_end
    return fault["policy"] == "continue" and enough


def check_nothing_is_left(seen: dict[str, Any]) -> None:
    """No process, dead or alive, no descriptor here or in the server, no name in /dev/shm."""
    assert seen["left_at_raise"] == []
    assert seen["left"] == []
    assert seen["fds"] == [0, 0]
    assert seen["shm"] == []


def check_error(fault: dict[str, Any], failed: list[int], seen: dict[str, Any]) -> None:
    """The error carries member, phase, step, process, signal, cause and the place."""
    assert seen["agent_index"] == (failed[-1] if fault["policy"] == "continue" else failed[0])
    assert seen["agent_name"] == f"m{seen['agent_index']}"
    assert seen["phase"] == fault["phase"]
    assert seen["timestep"] == plan.timestep(fault)
    assert seen["pid"] > 0
    assert seen["travels"]
    action = fault["action"]
    if action in CAUSES:
        assert seen["cause"] == CAUSES[action]
    assert seen["exitcode"] == (3 if action == "exit" else None)
    assert seen["signal"] == SIGNALS.get(action, "SIGKILL" if action in plan.HANGING else None)
    if action in RAISED:
        assert "Traceback" in seen["remote_traceback"]
    if action in SHOWS_ITS_STACK:
        assert "_maybe" in seen["remote_traceback"]


def check_text(fault: dict[str, Any], text: str) -> None:
    """The message names the faulty member, the phase, the step, and what happened."""
    action = fault["action"]
    assert f"agent {fault['member']} ('m{fault['member']}')" in text
    if action in RAISED:
        kind, words = RAISED[action]
        assert kind in text
        assert words in text
        assert len(text) < 50_000
    if fault["phase"] != "load" or action not in RAISED:
        assert f"in {fault['phase']}" in text
    step = plan.timestep(fault)
    assert (f"at step {step}" in text) == (step is not None)
    assert str(SIGNALS.get(action) or "") in text
    assert HINTS.get(action, "") in text
    if action in plan.HANGING:
        assert f"within {plan.TIMEOUT:g} s" in text
    if action == "exit":
        assert "exit code 3" in text


def check_notes(fault: dict[str, Any], notes: list[str]) -> None:
    """The error says where the last checkpoint is, or that there is none."""
    if fault["policy"] == "continue":
        assert "every member has failed" in notes
    begun = fault["phase"] not in ("load", "setup", "state")  # the first one asks for states
    if fault["saves"] and fault["mode"] == "train" and begun:
        assert notes[-1].endswith("step-000000000000")
        assert notes[-1].startswith("last checkpoint: ")
    else:
        assert notes[-1] == "no checkpoint was written"


def check_time(arena: Any, fault: dict[str, Any], delay: float) -> None:
    """The user knows soon after it happened, or after the time limit."""
    hangs = fault["action"] in plan.HANGING
    arena.note("hangs" if hangs else "dies" if fault["action"] in SIGNALS else "raises", delay)
    assert 0 < delay < GRACE_SECONDS + (plan.TIMEOUT + DUMP_SECONDS) * hangs


def check_others(fault: dict[str, Any], failed: list[int], seen: dict[str, Any]) -> None:
    """The others learned what they learn without the fault; the failed ones are reported."""
    assert seen["delay"] > 0  # minus infinity: the fault did not happen
    for index, status in enumerate(seen["status"]):
        if index in failed:
            assert status == "failed"
            check_text(fault, seen["failures"][index])
        else:
            assert status == ("trained" if fault["mode"] == "train" else "evaluated")
            assert seen["failures"][index] is None
            assert seen["same"][index]


def check_saved(fault: dict[str, Any], failed: list[int], saved: list[str]) -> None:
    """What the others learned is on disk, and nothing of those that failed."""
    healthy = [f"m{index}" for index in range(fault["members"]) if index not in failed]
    assert saved == (healthy if fault["saves"] and fault["mode"] == "train" else [])


def expected_class(fault: dict[str, Any]) -> str:
    """Name of the error's class."""
    if fault["action"] in plan.DYING:
        return "WorkerDied"
    if fault["action"] in plan.HANGING:
        return "WorkerTimeout"
    return "WorkerStartError" if fault["phase"] == "load" else "WorkerRaised"
