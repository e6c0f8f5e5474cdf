"""SIGINT and SIGTERM while members train: finish the timestep first."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from .._errors import TrainingInterrupted

_log = logging.getLogger("coterie")


class Interrupts:
    """Remembers a signal for as long as a run takes, then puts the old handlers back.

    The first signal only sets :attr:`received`, so that the timestep can be finished and saved;
    the second acts at once. Signals are left alone outside the main thread, and where
    something else than Python handles them.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                previous = signal.getsignal(number)
                if previous is not None and previous is not signal.SIG_IGN:
                    self._previous[number] = previous
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def requested(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    def raise_received(self, timestep: int, run: Path | None, *, goes_on: bool) -> NoReturn:
        """Raise what the caller sees of the signal that came.

        Args:
            timestep: Timesteps done.
            run: Where the run was saved; ``None``: nowhere.
            goes_on: Whether the command line can go on with it.

        Raises:
            TrainingInterrupted: Always.
        """
        assert self.received is not None
        where = "" if run is None else f"; saved to {run}"
        if where and goes_on:
            where += f"; to go on: coterie resume {run}"
        message = f"interrupted by {self.received} after step {timestep}{where}"
        _log.warning(message)  # an exception that ends the program quietly shows no text
        raise TrainingInterrupted(message, self.received)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number).name
            return
        self._restore()
        raise KeyboardInterrupt(f"second signal ({signal.Signals(number).name})")

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
