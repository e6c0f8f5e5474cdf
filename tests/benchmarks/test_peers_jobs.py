"""Jobs are watched from within their environment, and run and ended from outside."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import _watch
import numpy as np
import psutil
import pytest
from benchmarks.peers import _process

ROLLOUTS = 128


class Finished(Exception):
    """Stands in for the end of the process."""


def until_finished(watch: _watch.Watch, run_turn: Callable[[], None]) -> None:
    """Do turns until the watch ends the process."""

    def turns() -> None:
        for _ in range(watch.turns):
            with watch.turn():
                run_turn()

    with pytest.raises(Finished):
        turns()


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(_watch, "time", made)
    return made


@pytest.fixture
def told(monkeypatch) -> list[dict]:
    """What a job says."""
    lines: list[dict] = []
    monkeypatch.setattr(_watch, "say", lines.append)

    def exit(code: int) -> None:
        raise Finished

    monkeypatch.setattr(_watch.os, "_exit", exit)
    monkeypatch.setattr(_watch.sys, "stdin", open("/dev/null"))  # noqa: SIM115
    return lines


def case(measure: str = "steady", **more) -> dict:
    given = {"agents": 2, "instances": 2, "seconds": 3.0, "limit": 60.0, "started": 98.0, **more}
    return {"measure": measure, "bar": 475, **given}


def run(watch: _watch.Watch, clock: Clock, timesteps: int, seconds: float, rewards=None) -> None:
    """Step a pretended environment, of which each step takes some seconds."""
    size = watch.agents * 2
    rewards = np.ones(size) if rewards is None else rewards
    for _ in range(timesteps):
        watch.before()
        clock.now += seconds
        watch.after(rewards, np.zeros(size, bool), np.zeros(size, bool))


def test_steady_speed_leaves_out_the_first_rollout_and_ends_with_one(clock, told) -> None:
    watch = _watch.Watch(case(), [])

    def turn() -> None:
        run(watch, clock, ROLLOUTS, 0.1)
        run(watch, clock, 10 * ROLLOUTS, 1 / 64)  # a rollout takes two seconds, two of them four

    until_finished(watch, turn)
    warm, result = told
    assert warm == {"mark": "warm"}
    assert result["outcome"] == "done"
    assert (result["steps"], result["seconds"]) == (2 * ROLLOUTS * 4, pytest.approx(4.0))
    assert result["total_steps"] == 3 * ROLLOUTS * 4
    assert result["first_action"] == pytest.approx(2.0)
    assert result["first_update"] == pytest.approx(2.0 + 12.8)


def test_turns_add_up(clock, told) -> None:
    watch = _watch.Watch(case(), [], turns=2)
    steps = iter((1 / 128, 1 / 32))
    until_finished(watch, lambda: run(watch, clock, 10 * ROLLOUTS, next(steps)))
    # One agent with two instances; each turn has half of the three seconds.
    assert told[-1]["steps"] == (2 + 1) * ROLLOUTS * 2
    assert told[-1]["seconds"] == pytest.approx(2 * 1.0 + 4.0)
    assert told.count({"mark": "warm"}) == 1


def test_at_the_limit_the_time_that_there_was_counts(clock, told) -> None:
    watch = _watch.Watch(case(limit=12.0), [])
    until_finished(watch, lambda: run(watch, clock, ROLLOUTS, 1.0))
    assert told[-1]["outcome"] == "limit"
    assert (told[-1]["steps"], told[-1]["seconds"]) == (11 * 4, pytest.approx(11.0))


def test_a_whole_job_ends_by_itself(clock, told) -> None:
    watch = _watch.Watch(case("whole"), [])
    with watch.turn():
        run(watch, clock, 2 * ROLLOUTS, 1 / 128)
    with pytest.raises(Finished):
        watch.finish()
    assert (told[-1]["outcome"], told[-1]["total_steps"]) == ("done", 2 * ROLLOUTS * 4)


def test_an_agent_has_learned_when_the_last_episodes_of_all_its_instances_have(clock, told) -> None:
    watch = _watch.Watch(case("learn", limit=1e6), [])

    def episode(length: int, ends: list[bool]) -> None:
        for timestep in range(length):
            watch.before()
            clock.now += 1.0
            last = timestep == length - 1
            done = np.array(ends) & last
            watch.after(np.ones(4), done, np.zeros(4, bool))

    def turn() -> None:
        episode(476, [True, False, True, True])  # the second agent has, one of the first's not
        episode(2 * ROLLOUTS, [False, True, False, False])
        run(watch, clock, ROLLOUTS, 1.0)

    until_finished(watch, turn)
    first, second = told[-1]["reached"]
    assert second == [2 + 512.0, 512 * 2]  # looked at after the fourth rollout
    assert first == [2 + 768.0, 768 * 2]
    assert told[-1]["outcome"] == "done"


def job(folder: Path, code: str) -> None:
    (folder / "jobs").mkdir()
    (folder / "jobs" / "toy_job.py").write_text(code)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(_process, "FOLDER", tmp_path)
    monkeypatch.setattr(_process, "GRACE", 0.1)
    return tmp_path


def ran(limit: float = 30.0) -> dict:
    given = {"cores": 1, "threads": 1, "device": "cpu", "measure": "steady", "limit": limit}
    return _process.run_job(Path(sys.executable), "toy", given)


def test_a_job_is_told_its_case_and_tells_a_result(folder) -> None:
    job(
        folder,
        "import json, os, sys\n"
        "case = json.loads(sys.argv[1])\n"
        "print('[INFO] of a library')\n"
        "print(json.dumps({'mark': 'warm'}), flush=True)\n"
        "threads = os.environ['OMP_NUM_THREADS']\n"
        "print(json.dumps({'outcome': 'done', 'steps': case['limit'], 'threads': threads}))\n"
        "sys.stdout.flush(); sys.stdin.read()\n",
    )
    found = ran()
    assert (found["outcome"], found["steps"], found["threads"]) == ("done", 30.0, "1")
    assert found["memory"] > 1
    assert 0 < found["whole"] < 30


def test_a_job_that_fails_says_why(folder) -> None:
    job(folder, "raise ValueError('of no | use')")
    found = ran()
    assert (found["outcome"], found["reason"]) == ("failed", "ValueError: of no / use")


def test_a_job_over_its_limit_is_ended_with_what_it_started(folder) -> None:
    job(
        folder,
        "import subprocess, sys, time\n"
        "started = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(folder / 'pid')!r}, 'w').write(str(started.pid))\n"
        "time.sleep(60)\n",
    )
    start = time.monotonic()
    assert ran(limit=1.0)["outcome"] == "limit"
    assert time.monotonic() - start < 30
    pid = int((folder / "pid").read_text())
    deadline = time.monotonic() + 10  # the kernel ends a killed process when it gets round to it
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone(pid)


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
