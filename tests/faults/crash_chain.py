"""Kills a run, lets it go on, kills it again: which deaths a chain has, and what they leave."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import fault_survey
from fault_survey import Patience

CASES = (
    ("sequential", "ppo"),
    ("sequential", "sum"),
    ("parallel", "ppo"),
    ("sequential", "ppo"),
    ("parallel", "sum"),
)
KILLS_PER_CHAIN = 4
END_SECONDS = 90.0
GONE_SECONDS = 5.0
SLOW = 0.004  # seconds that a flush takes longer, so that a random kill may meet it
CHANGES = {"parent": 90, "worker": 12}  # to the disk, until a victim dies of its own accord

counts: Counter[str] = Counter()


class Nursery:
    """The process that victims are forked from."""

    def __init__(self, folder: Path) -> None:
        self._errors, self._started = folder / "errors", 0
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._answer() == "ready\n"

    def start(self, plan: dict[str, Any]) -> Victim:
        """Start a victim."""
        self._started += 1
        errors = self._errors.with_suffix(f".{self._started}")
        return Victim(self, self.ask({"start": plan, "errors": str(errors)}), errors)

    def start_script(self, arguments: list[str], output: Path, errors: Path) -> int:
        """Start a script; return its process id."""
        files = {"output": str(output), "errors": str(errors)}
        pid = self.ask({"script": arguments, **files})
        assert isinstance(pid, int)
        return pid

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request; return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._answer())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(END_SECONDS) == 0

    def _answer(self) -> str:
        assert self._process.stdout is not None
        patience = Patience(END_SECONDS)
        while patience.left and not select.select([self._process.stdout], [], [], 0)[0]:
            patience.nap()
        assert patience.left, "the nursery hangs"
        return self._process.stdout.readline()


class Victim:
    """A script that trains, in a session of its own."""

    def __init__(self, nursery: Nursery, pid: int, errors: Path) -> None:
        self.pid, self._nursery, self._errors = pid, nursery, errors
        self._code: int | None = None

    @property
    def code(self) -> int | None:
        """Exit code; ``None`` while it runs."""
        if self._code is None:
            self._code = self._nursery.ask({"poll": self.pid})
        return self._code

    def others(self) -> list[int]:
        """Living processes of its session beside itself."""
        return [pid for pid in fault_survey.living(self.pid) if pid != self.pid]

    def finish(self) -> int:
        """Wait for the end of all its processes; return the exit code."""
        patience = Patience(END_SECONDS)
        while self.code is None and patience.left:
            patience.nap()
        ended, patience = self.code, Patience(GONE_SECONDS)
        while fault_survey.living(self.pid) and patience.left:
            patience.nap()
        left = fault_survey.living(self.pid)
        fault_survey.kill_all(self.pid)
        assert ended is not None, f"it hangs: {self.errors}"
        assert left == [], f"processes outlive it: {self.errors}"
        return ended

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return self._errors.read_text()


def death(chance: random.Random, trainer: str) -> dict[str, Any]:
    """Choose how a victim dies: by itself in a save, or at some moment by somebody else."""
    places = ("parent", "parent", "worker") if trainer == "parallel" else ("parent",)
    where = chance.choice(places)
    by_itself = chance.random() < 0.5
    return {
        "by_itself": by_itself,
        "where": where,
        "at": chance.randint(1, CHANGES[where]),
        "who": "one" if where == "worker" else chance.choice(("one", "all")),
        "after": chance.random(),
        "slow": chance.choice((0.0, SLOW)),
    }


def plan_of(run: Path, case: tuple[str, str], how: dict[str, Any] | None) -> dict[str, Any]:
    """Describe a victim for :func:`crash_victim.train`."""
    fail = None
    if how is not None and how["by_itself"]:
        fail = {key: how[key] for key in ("where", "at", "who")}
        fail["stamp"] = str(run.with_name(f"stamp-{time.monotonic_ns()}"))
    slow = 0.0 if how is None else how["slow"]
    plan = {"run": str(run), "trainer": case[0], "population": case[1], "slow": slow}
    return {**plan, "fail": fail, "warm": True, "calm": how is None}


def kill(victim: Victim, plan: dict[str, Any], how: dict[str, Any], seconds: float) -> bool:
    """Let a victim die, and wait until it is gone; say whether it died at all.

    Args:
        victim: It.
        plan: What it was started with.
        how: What :func:`death` chose.
        seconds: How long a run takes that nobody kills.
    """
    if plan["fail"] is not None:
        victim.finish()
        return os.path.exists(plan["fail"]["stamp"])
    time.sleep(how["after"] * seconds)
    if how["where"] == "worker":
        targets = victim.others()[-1:]
    else:
        targets = fault_survey.living(victim.pid) if how["who"] == "all" else [victim.pid]
    if victim.code is not None or not targets:
        victim.finish()
        return False
    for pid in targets:
        _kill(pid)
    victim.finish()
    return True


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def in_flight(run: Path, plan: dict[str, Any]) -> bool:
    """Whether a victim was in the middle of a save when it died: it left something behind."""
    if plan["fail"] is not None:
        return os.path.exists(plan["fail"]["stamp"])
    names = [path.name for path in run.rglob(".*")] if run.exists() else []
    return any(name not in (".lock", ".run.json.new", ".summary.json.new") for name in names)
