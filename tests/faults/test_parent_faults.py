"""Whatever happens to the user's own process, no worker outlives it.

Where the start is not what matters, scripts are forked from a process that has imported torch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fault_survey
import psutil
import pytest
from crash_chain import Nursery
from fault_survey import Patience

VICTIM = Path(__file__).with_name("victim.py")
START_SECONDS = 90.0
END_SECONDS = 90.0
GONE_SECONDS = 5.0
NEW = ("starting", "no-close")  # from nothing, with a server of workers that starts from nothing
INTERRUPTED = (-signal.SIGINT, 130)  # by Python itself; by a run

pytestmark = pytest.mark.timeout(600)  # limits of time are the script's, see Patience


class Forked:
    """What is forked from the nursery, with the part of ``Popen`` that is needed here."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid, self._nursery = pid, nursery
        self._code: int | None = None

    def poll(self) -> int | None:
        """Exit code, if it has ended."""
        if self._code is None:
            self._code = self._nursery.ask({"poll": self.pid})
        return self._code


class Script:
    """The script, in a session of its own; without a nursery, in a new interpreter."""

    def __init__(self, folder: Path, scenario: str, nursery: Nursery | None) -> None:
        self._flag, self.output, self.errors = (folder / n for n in ("running", "out", "err"))
        arguments = [str(VICTIM), scenario, str(self._flag)]
        self.process: subprocess.Popen[bytes] | Forked
        if nursery is not None:
            pid = nursery.start_script(arguments, self.output, self.errors)
            self.process = Forked(nursery, pid)
            return
        with self.output.open("w") as output, self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def wait_running(self, workers: int) -> None:
        """Wait until the scenario is reached, with so many processes beside the script."""
        patience = Patience(START_SECONDS)
        while patience.left:
            if self._flag.exists() and len(self.members()) >= workers + 1:
                return
            assert self.process.poll() is None, self.finish()
            patience.nap()
        pytest.fail("the script did not get there")

    def members(self) -> list[int]:
        """Living processes of the session."""
        return fault_survey.living(self.process.pid)

    def signal(self, name: str) -> None:
        """Send a signal to the script alone."""
        os.kill(self.process.pid, signal.Signals[name])

    def signal_group(self, name: str) -> None:
        """Send a signal to its process group, as a terminal does."""
        os.killpg(self.process.pid, signal.Signals[name])

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end of all processes; return exit code, output and errors."""
        patience = Patience(END_SECONDS)
        while self.process.poll() is None and patience.left:
            patience.nap()
        ended, patience = self.process.poll(), Patience(GONE_SECONDS)
        while self.members() and patience.left:
            patience.nap()
        left = self.members()
        fault_survey.kill_all(self.process.pid)
        out, err = self.output.read_text(), self.errors.read_text()
        assert ended is not None, f"it did not end: {err}"
        assert left == [], err
        return ended, out, err


@pytest.fixture
def script(tmp_path: Path, nursery: Nursery) -> Callable[[str], Script]:
    """Start the script with a scenario."""
    return lambda scenario: Script(tmp_path, scenario, None if scenario in NEW else nursery)


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
        ("env-hangs", 3),
    ],
)
def test_the_script_is_killed(script: Callable[[str], Script], scenario: str, workers: int) -> None:
    shm = os.listdir("/dev/shm")
    victim = script(scenario)
    victim.wait_running(workers)
    victim.signal("SIGKILL")
    code, _, _ = victim.finish()
    assert code == -signal.SIGKILL
    assert fault_survey.new_in_shm(shm) == []


def test_the_whole_group_is_killed(script: Callable[[str], Script]) -> None:
    victim = script("waiting")
    victim.wait_running(3)
    victim.signal_group("SIGKILL")
    code, _, _ = victim.finish()
    assert code == -signal.SIGKILL


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
    victim.signal_group(name)
    code, _, err = victim.finish()
    assert code == expected
    assert f"interrupted by {name} after step" in err
    assert "Traceback" not in err


def test_a_second_signal_does_not_wait(script: Callable[[str], Script]) -> None:
    victim = script("asleep")
    victim.wait_running(3)
    victim.signal("SIGINT")
    time.sleep(0.2)
    assert victim.process.poll() is None
    victim.signal("SIGINT")
    code, _, err = victim.finish()
    assert code in INTERRUPTED
    assert "KeyboardInterrupt" in err


def test_a_signal_while_starting(script: Callable[[str], Script]) -> None:
    victim = script("starting")
    victim.wait_running(1)
    time.sleep(0.1)
    victim.signal_group("SIGINT")
    code, _, err = victim.finish()
    assert code in INTERRUPTED
    assert err.count("Traceback (most recent call last)") <= 2


def test_a_signal_at_any_moment(
    script: Callable[[str], Script], moment: tuple[str, bool, float]
) -> None:
    name, to_all, delay = moment
    shm = os.listdir("/dev/shm")
    victim = script("starting")
    victim.wait_running(0)
    time.sleep(delay)
    (victim.signal_group if to_all else victim.signal)(name)
    code, _, err = victim.finish()
    number = signal.Signals[name]
    assert code in ((-number,) if name == "SIGKILL" else (-number, 128 + number)), err
    assert fault_survey.new_in_shm(shm) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_environment_hangs(script: Callable[[str], Script], name: str) -> None:
    victim = script("env-hangs")
    victim.wait_running(3)
    victim.signal(name)
    time.sleep(0.2)
    assert victim.process.poll() is None
    victim.signal(name)
    _, _, err = victim.finish()
    assert "KeyboardInterrupt" in err
    assert f"second signal ({name})" in err


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
    victim.signal("SIGKILL")
    victim.finish()
