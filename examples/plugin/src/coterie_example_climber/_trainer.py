"""The trainer ``timed``: a name, a configuration class and an executor."""

from __future__ import annotations

from typing import Any, ClassVar

from coterie import Executor, Trainer

from ._cfg import TimedTrainerCfg
from ._executor import TimedExecutor


class TimedTrainer(Trainer):
    """Works in the caller's process like ``sequential``, and tells how long each member takes."""

    kind: ClassVar[str] = "timed"
    config_class: ClassVar[type[Any]] = TimedTrainerCfg
    equal_to_sequential: ClassVar[bool] = True

    def make_executor(self) -> Executor:
        """Make the executor that holds a stop-watch."""
        return TimedExecutor()
