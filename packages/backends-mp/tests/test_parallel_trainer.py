"""The parallel trainer keeps what every trainer promises, however members are placed."""

from __future__ import annotations

from typing import Any, ClassVar

from coterie import Trainer
from coterie.testing import TrainerSuite
from coterie_backends_mp import ParallelTrainer


class ParallelSuite(TrainerSuite):
    settings: ClassVar[dict[str, Any]]

    def make_trainer(self, **arguments: Any) -> Trainer:
        cfg = {**self.settings, "threads": 1, **arguments.pop("cfg", {})}
        return ParallelTrainer(**arguments, cfg=cfg)


class TestAProcessPerAgent(ParallelSuite):
    settings: ClassVar = {}


class TestTwoProcesses(ParallelSuite):
    settings: ClassVar = {"processes": 2}
