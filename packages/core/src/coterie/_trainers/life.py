"""Whether a trainer is idle, running or closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from .._errors import TrainerStateError


class Life:
    """Lets a trainer do one thing at a time, and nothing once it is closed."""

    def __init__(self) -> None:
        self._state: Literal["idle", "running", "closed"] = "idle"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Do something.

        Raises:
            TrainerStateError: The trainer is running or closed.
        """
        if self._state != "idle":
            raise TrainerStateError(
                f"this trainer is {self._state}"
                + ("; make a new one" if self._state == "closed" else "")
            )
        self._state = "running"
        try:
            yield
        finally:
            if self._state == "running":
                self._state = "idle"

    def require_rest(self) -> None:
        """Check that nothing is being done.

        Raises:
            TrainerStateError: The trainer is running.
        """
        if self._state == "running":
            raise TrainerStateError("this trainer is running; close it when the run has ended")

    def end(self) -> None:
        """Do nothing any more."""
        self._state = "closed"
