"""The trainer whose members live in worker processes."""

from __future__ import annotations

from typing import Any, ClassVar

from coterie import Executor, Trainer, TrainerCfg, inner_trainer

from ._cfg import ParallelTrainerCfg
from ._executor import ProcessExecutor
from ._handover import Inside


class ParallelTrainer(Trainer):
    """A process per agent, or several agents per process, one round trip per timestep.

    The processes start with the first run and stay for the trainer's life. After each run the
    caller's agent objects hold what was learned.
    """

    kind: ClassVar[str] = "parallel"
    config_class: ClassVar[type[TrainerCfg]] = ParallelTrainerCfg
    equal_to_sequential: ClassVar[bool] = True

    _inside: Inside | None = None

    def check_settings(self) -> None:
        """Find the trainer that works inside the processes, if one is named."""
        if self.cfg.inside is not None:
            self._inside = _find_inside(self.cfg)

    def make_executor(self) -> Executor:
        """Make the executor that works in worker processes; they start with the first run."""
        return ProcessExecutor(self.cfg, self._inside)

    @classmethod
    def make_island_executor(cls, cfg: Any) -> Executor:
        """Make the executor of one island: its worker processes."""
        inside = None if cfg.inside is None else _find_inside(cfg)
        return ProcessExecutor(cfg, inside)


def _find_inside(cfg: ParallelTrainerCfg) -> Inside:
    """Find the trainer that works inside the processes, and configure it like this one.

    Raises:
        ConfigError: It can't work there, or a setting is wrong.
        PluginError: Nobody offers it.
    """
    kind, made = inner_trainer(cfg, where="processes")
    kind.make_inner_executor()
    return kind, made
