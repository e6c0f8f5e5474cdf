"""Closing an environment ends, whatever the environment does."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import pytest

from coterie._envs import closing
from coterie._envs.closing import close_within
from coterie.testing import CountingEnv


class Stubborn(CountingEnv):
    """Hangs, and swallows what it can."""

    def close(self):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(100)


class Failing(CountingEnv):
    def close(self):
        raise ValueError("no window")


@pytest.fixture
def free_alarm():
    """Some ways to run tests use the alarm themselves."""
    handler = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    yield
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, left)


def test_a_close_that_hangs_is_broken_off(free_alarm):
    start = time.monotonic()
    with pytest.warns(RuntimeWarning, match=r"took more than 0\.2 s and was broken off"):
        close_within(Stubborn(1), 0.2)
    assert time.monotonic() - start < 50


def test_a_close_that_fails_is_told(free_alarm):
    with pytest.warns(RuntimeWarning, match=r"failed with ValueError\('no window'\)"):
        close_within(Failing(1), 5.0)


def test_an_alarm_of_the_program_is_left_alone(free_alarm):
    rung = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close_within(CountingEnv(1), 5.0)
    signal.raise_signal(signal.SIGALRM)
    assert rung == [True]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_another_thread_closes_without_an_alarm(free_alarm):
    env = CountingEnv(1)
    thread = threading.Thread(target=close_within, args=(env, 5.0))
    thread.start()
    thread.join()


def test_a_program_ends_though_its_environment_does_not(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import time\n"
        "import coterie._envs.closing as closing\n"
        "from coterie.testing import CountingEnv\n"
        "class Hanging(CountingEnv):\n"
        "    def close(self):\n"
        "        time.sleep(100)\n"
        "closing._SECONDS = 0.2\n"
        "env = Hanging(1)\n"
        "closing.close_at_exit(env)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0
    assert "closing the environment" in done.stderr
    assert "broken off" in done.stderr


def test_what_failed_to_close_is_not_closed_again_at_the_end(monkeypatch):
    registered = []
    monkeypatch.setattr(closing, "atexit", SimpleNamespace(register=registered.append))
    env = Failing(1)
    closing.close_at_exit(env)
    with pytest.warns(RuntimeWarning, match="no window"):
        closing.close_environment(env)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in registered:
            function()
    assert len(registered) == 1
