"""The trainer ``ray`` does what every trainer must; see the suites."""

import pytest

from coterie.testing import TeamTrainerSuite, TrainerSuite

ISLANDS = {"islands": 2, "stretch": 5}


class TestRay(TrainerSuite):
    @pytest.fixture(autouse=True)
    def _take(self, pooled):
        self.pooled = pooled

    def make_trainer(self, **arguments):
        count = len(arguments["agents"])
        own = {**ISLANDS, "islands": min(2, count)}
        cfg = {**arguments.pop("cfg", {}), **own}
        return self.pooled.make(**arguments, cfg=cfg)


class TestRayTeams(TeamTrainerSuite):
    @pytest.fixture(autouse=True)
    def _take(self, pooled):
        self.pooled = pooled

    def make_trainer(self, **arguments):
        count = len(arguments["agents"])
        own = {**ISLANDS, "islands": min(2, count)}
        cfg = {**arguments.pop("cfg", {}), **own}
        return self.pooled.make(**arguments, cfg=cfg)
