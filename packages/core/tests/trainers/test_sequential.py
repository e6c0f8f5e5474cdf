"""The sequential trainer, through the suite that every trainer inherits."""

from coterie import SequentialTrainer
from coterie.testing import TrainerSuite


class TestSequential(TrainerSuite):
    def make_trainer(self, **arguments):
        return SequentialTrainer(**arguments)
