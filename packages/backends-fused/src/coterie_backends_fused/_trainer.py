"""The trainer that learns agents of one architecture as one."""

from __future__ import annotations

import logging
from typing import ClassVar

from coterie import Executor, Trainer, TrainerCfg

from ._cfg import FusedTrainerCfg
from ._executor import FusedExecutor
from ._placement import Placement
from ._rollouts import check_environment

_log = logging.getLogger("coterie")


class FusedTrainer(Trainer):
    """Agents of one class and architecture act and learn as one network, in this process.

    Agents that are like no other run beside them, one after the other. After each run every
    agent object holds its own weights, optimiser, memory and random state.
    """

    kind: ClassVar[str] = "fused"
    config_class: ClassVar[type[TrainerCfg]] = FusedTrainerCfg
    _placement: Placement | None = None

    @property
    def placement(self) -> Placement | None:
        """Which members the last run stacked, and why not the others; ``None`` before a run."""
        return self._placement

    def check_settings(self) -> None:
        """Check that the environment can do what is asked for."""
        if self.cfg.compile_rollout:
            headless = self.cfg.headless
            check_environment(self.env, self.cfg.compile_rollout, headless=headless)

    def make_executor(self) -> Executor:
        """Make the executor that stacks what can be stacked."""
        return FusedExecutor(self._tell)

    @classmethod
    def make_inner_executor(cls) -> Executor:
        """Make an executor that stacks what is alike of the members of one worker process."""
        return FusedExecutor()

    def _tell(self, placement: Placement) -> None:
        if placement != self._placement:
            _log.info("%s", placement)
        self._placement = placement
