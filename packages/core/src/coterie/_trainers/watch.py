"""Telling that a step of the environment takes long: nobody else can while it does."""

from __future__ import annotations

import sys
import threading
import time
import traceback
import warnings
from types import TracebackType

from .loop import Clock

_FRAMES = 3


class StepWatch:
    """Warns, from a thread of its own, about a step of the environment that does not end.

    Such a step can't be interrupted from here: it is the user who has to know of it.

    Args:
        clock: Knows when the step began that is being made.
        environment: Name of the environment.
        seconds: Seconds between two warnings.
    """

    def __init__(self, clock: Clock, environment: str, seconds: float) -> None:
        self._clock, self._environment, self._seconds = clock, environment, seconds
        self._over = threading.Event()
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._look, name="coterie-watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        told = 0.0
        while not self._over.wait(self._seconds / 4):
            began, now = self._clock.stepping, time.perf_counter()
            if began is not None and now - max(began, told) >= self._seconds:
                told = now
                self._warn(now - began)

    def _warn(self, seconds: float) -> None:
        warnings.warn(
            f"{self._environment} has been in step {self._clock.timestep} for {seconds:.3g} s; "
            f"everybody waits for it. It is here:\n{self._place()}",
            RuntimeWarning,
            stacklevel=2,
        )

    def _place(self) -> str:
        """Where the step is: the last lines of its stack."""
        frame = sys._current_frames().get(self._watched)
        return "".join(traceback.format_stack(frame)[-_FRAMES:]).rstrip()
