"""Teams under the trainers of core, through the suite that every trainer inherits."""

from coterie import SequentialTrainer
from coterie.testing import TeamTrainerSuite


class TestSequentialWithTeams(TeamTrainerSuite):
    def make_trainer(self, **arguments):
        return SequentialTrainer(**arguments)
