"""What the suites of environments need to see how a program ends. Free of torch."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from .._envs import closing

HANGING = 60.0


def close_by_raising() -> None:
    """Fail to close."""
    raise ValueError("the simulator does not close")


def close_by_hanging() -> None:
    """Close, but not in the time that anybody waits for it."""
    time.sleep(HANGING)


@contextmanager
def program_that_ends(seconds: float) -> Iterator[Callable[[], None]]:
    """Gather what would be called when the program ends, in place of calling it then.

    Args:
        seconds: The time that an environment gets to close.

    Yields:
        A function that calls all of it; to be called in the block.
    """
    functions: list[Callable[[], Any]] = []

    def end() -> None:
        with free_alarm():
            for function in functions:
                function()

    atexit = SimpleNamespace(register=functions.append)
    with mock.patch.multiple(closing, atexit=atexit, _SECONDS=seconds):
        yield end


@contextmanager
def free_alarm() -> Iterator[None]:
    """Put away the alarm of whoever runs the tests.

    Raises:
        AssertionError: What uses it in the block has not given it back.
    """
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return
    handler = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, left)


def living() -> set[Any]:
    """Return the threads and the processes that this process has started and that still run."""
    return {*threading.enumerate(), *multiprocessing.active_children()}


def left_over(before: set[Any], seconds: float = 10.0) -> set[Any]:
    """Return what lives and did not live before, once it had some seconds to end."""
    deadline = time.monotonic() + seconds
    while (left := living() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
