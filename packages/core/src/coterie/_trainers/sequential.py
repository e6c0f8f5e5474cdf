"""The trainer that works in the caller's process."""

from __future__ import annotations

from typing import ClassVar

from .._executors.interface import Executor
from .._executors.local import LocalExecutor
from .base import Trainer


class SequentialTrainer(Trainer):
    """Every member in turn, in the caller's process: no start-up, no copies, easy to debug."""

    kind: ClassVar[str] = "sequential"
    equal_to_sequential: ClassVar[bool] = True

    def make_executor(self) -> Executor:
        """Make the executor that works in this process."""
        return LocalExecutor()

    @classmethod
    def make_inner_executor(cls) -> Executor:
        """Make an executor that lets the members of a worker process have their turn."""
        return LocalExecutor()
