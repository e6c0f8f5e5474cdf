"""Trainers with islands do what every trainer must; see the suites."""

import pytest

from coterie.testing import TeamTrainerSuite, TrainerSuite


class OnIslands:
    stretch = None

    @pytest.fixture(autouse=True)
    def _take(self, islands):
        self.islands = islands

    def make_trainer(self, **arguments):
        cfg = {**arguments.pop("cfg", {}), "stretch": self.stretch}
        return self.islands.make(**arguments, cfg=cfg)


class TestIslands(OnIslands, TrainerSuite):
    pass


class TestShortStretches(TestIslands):
    stretch = 3


class TestIslandsOfTeams(OnIslands, TeamTrainerSuite):
    stretch = 5
