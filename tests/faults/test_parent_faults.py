"""Whatever happens to the user's own process, no worker outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

VICTIM = Path(__file__).with_name("victim.py")
START_SECONDS = 90.0
GONE_SECONDS = 10.0
INTERRUPTED = (-signal.SIGINT, 1, 130, 143)  # Python itself leaves with 1 for a subclass


class Script:
    """The script, in a session of its own."""

    def __init__(self, folder: Path, scenario: str) -> None:
        self._flag = folder / "running"
        self.process = subprocess.Popen(
            [sys.executable, str(VICTIM), scenario, str(self._flag)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_running(self, workers: int) -> None:
        """Wait until the scenario is reached, with so many processes beside the script."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._flag.exists() and len(self.members()) >= workers + 1:
                return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)
        pytest.fail("the script did not get there")

    def members(self) -> list[int]:
        """Living processes of the session."""
        found = []
        for process in psutil.process_iter():
            try:
                same = os.getsid(process.pid) == self.process.pid
                if same and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except (psutil.Error, ProcessLookupError):
                continue
        return found

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end of all processes; return exit code, output and errors."""
        out, err = self.process.communicate(timeout=START_SECONDS)
        deadline = time.monotonic() + GONE_SECONDS
        while self.members() and time.monotonic() < deadline:
            time.sleep(0.01)
        left = self.members()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == []
        return self.process.returncode, out, err


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Script]:
    """Start the script with a scenario."""
    return lambda scenario: Script(tmp_path, scenario)


@pytest.mark.parametrize(
    ("scenario", "workers"),
    [
        ("starting", 1),
        ("waiting", 3),
        ("busy", 3),
        ("asleep", 3),
        ("stopped", 3),
        ("ignores-signals", 3),
        ("grandchild", 4),
    ],
)
def test_the_script_is_killed(script: Callable[[str], Script], scenario: str, workers: int) -> None:
    shm = sorted(os.listdir("/dev/shm"))
    victim = script(scenario)
    victim.wait_running(workers)
    os.kill(victim.process.pid, signal.SIGKILL)
    code, _, _ = victim.finish()
    assert code == -signal.SIGKILL
    assert set(os.listdir("/dev/shm")) <= set(shm)


def test_the_server_is_killed(script: Callable[[str], Script]) -> None:
    victim = script("waiting")
    victim.wait_running(3)
    (server,) = psutil.Process(victim.process.pid).children()
    server.kill()
    code, _, err = victim.finish()
    assert code == 1
    assert "WorkerDied: agent" in err
    assert "the process that starts and watches the workers ended" in err


@pytest.mark.parametrize(("name", "expected"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_one_signal_to_all(script: Callable[[str], Script], name: str, expected: int) -> None:
    victim = script("waiting")
    victim.wait_running(3)
    os.killpg(victim.process.pid, signal.Signals[name])
    code, _, err = victim.finish()
    assert code == expected
    assert f"interrupted by {name} after step" in err
    assert "Traceback" not in err


def test_a_second_signal_does_not_wait(script: Callable[[str], Script]) -> None:
    victim = script("asleep")
    victim.wait_running(3)
    os.kill(victim.process.pid, signal.SIGINT)
    time.sleep(0.2)
    assert victim.process.poll() is None
    os.kill(victim.process.pid, signal.SIGINT)
    code, _, err = victim.finish()
    assert code in INTERRUPTED
    assert "KeyboardInterrupt" in err


def test_a_signal_while_starting(script: Callable[[str], Script]) -> None:
    victim = script("starting")
    victim.wait_running(1)
    time.sleep(0.1)
    os.killpg(victim.process.pid, signal.SIGINT)
    code, _, err = victim.finish()
    assert code in INTERRUPTED
    assert err.count("Traceback (most recent call last)") <= 2


def test_a_script_without_close_ends(script: Callable[[str], Script]) -> None:
    code, out, err = script("no-close").finish()
    assert (code, out.strip(), err.strip()) == (0, "done", "")


def test_a_script_with_a_bug_ends(script: Callable[[str], Script]) -> None:
    code, out, err = script("raises").finish()
    assert (code, out) == (1, "")
    assert "the script has a bug of its own" in err


def test_the_survey_finds_survivors(script: Callable[[str], Script]) -> None:
    victim = script("waiting")
    victim.wait_running(3)
    assert len(victim.members()) == 4
    os.kill(victim.process.pid, signal.SIGKILL)
    victim.finish()
