"""The suite that every trainer passes."""

from coterie.testing import TrainerSuite
from coterie_backends_fused import FusedTrainer


class TestFusedTrainer(TrainerSuite):
    def make_trainer(self, **arguments):
        return FusedTrainer(**arguments)
