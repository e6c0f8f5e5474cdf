"""The trainer whose members live in worker processes."""

from __future__ import annotations

from typing import ClassVar

from coterie import Executor, Trainer, TrainerCfg

from ._cfg import ParallelTrainerCfg
from ._executor import ProcessExecutor


class ParallelTrainer(Trainer):
    """A process per agent, or several agents per process, one round trip per timestep.

    The processes start with the first run and stay for the trainer's life. After each run the
    caller's agent objects hold what was learned.
    """

    kind: ClassVar[str] = "parallel"
    config_class: ClassVar[type[TrainerCfg]] = ParallelTrainerCfg

    def make_executor(self) -> Executor:
        """Make the executor that works in worker processes; they start with the first run."""
        return ProcessExecutor(self.cfg)
