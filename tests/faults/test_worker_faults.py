"""Whatever happens to a worker, the user sees the right error and nothing is left behind.

``COTERIE_FAULTS`` sets how many faults are injected.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest


def _plan() -> Any:
    spec = importlib.util.spec_from_file_location("fault_plan", Path(__file__).with_name("plan.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fault_plan"] = module
    spec.loader.exec_module(module)
    return module


plan = _plan()
FAULTS = plan.plan(int(os.environ.get("COTERIE_FAULTS", "160")))
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
    "unpicklable-state": ("TypeError", "pickle"),
}
WITHOUT_STEP = ("load", "setup")
GRACE_SECONDS = 10.0  # in which processes must be gone, on a machine under load


@pytest.mark.parametrize("fault", FAULTS, ids=plan.label)
def test_a_fault(arena: Any, fault: dict[str, Any]) -> None:
    seen = arena.meet(fault)
    assert seen["left"] == []
    assert seen["left_at_raise"] == []
    assert seen["fds"] == 0
    assert seen["shm"] == []
    assert seen["seconds"] < GRACE_SECONDS
    if seen["error"] is None:
        check_others(fault, seen)
    else:
        check_error(fault, seen)


def check_error(fault: dict[str, Any], seen: dict[str, Any]) -> None:
    """The error is of the right class and names member, phase, step, signal and cause."""
    assert seen["error"] == expected_class(fault)
    assert seen["agent_index"] in casualties(fault)
    if seen["agent_index"] == fault["member"]:
        assert f"agent {fault['member']} ('m{fault['member']}')" in seen["text"]
    assert seen["phase"] == fault["phase"]
    assert seen["pid"] is not None
    if fault["phase"] in plan.PHASES[2:6]:
        assert seen["timestep"] == fault["step"]
    elif fault["phase"] in WITHOUT_STEP:
        assert seen["timestep"] is None
    assert seen["notes"][-1] == "no checkpoint was written"
    if fault["action"] in plan.DYING:
        assert seen["signal"] == SIGNALS[fault["action"]]
        assert seen["exitcode"] == (3 if fault["action"] == "exit" else None)
    if fault["action"] in RAISED:
        kind, text = RAISED[fault["action"]]
        assert kind in seen["text"]
        assert text in seen["text"]
        assert "Traceback" in seen["remote_traceback"]
        assert len(seen["text"]) < 50_000
    if fault["action"] in ("segv", "abort", "hang-sleep", "hang-loop", "hang-lock"):
        assert "_maybe" in seen["remote_traceback"]


def check_others(fault: dict[str, Any], seen: dict[str, Any]) -> None:
    """With the policy "continue", the others learned what they learn without the fault."""
    assert fault["policy"] == "continue"
    failed = casualties(fault)
    for index, status in enumerate(seen["status"]):
        if index in failed:
            assert status == "failed"
            assert seen["failures"][index]
        else:
            assert status == "trained"
            assert seen["same"][index]


def casualties(fault: dict[str, Any]) -> list[int]:
    """Members that fail: the faulty one, and those that share a process that dies with it."""
    if fault["action"] not in (*plan.DYING, *plan.HANGING):
        return [fault["member"]]
    count = fault["members"]
    processes = count if fault["processes"] is None else min(count, fault["processes"])
    small, more = divmod(count, processes)
    place = [n for n in range(processes) for _ in range(small + (n < more))]
    return [index for index in range(count) if place[index] == place[fault["member"]]]


def expected_class(fault: dict[str, Any]) -> str:
    """Name of the error's class."""
    if fault["action"] in plan.DYING:
        return "WorkerDied"
    if fault["action"] in plan.HANGING:
        return "WorkerTimeout"
    return "WorkerStartError" if fault["phase"] == "load" else "WorkerRaised"
