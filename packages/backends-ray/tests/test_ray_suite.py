"""The trainer ``ray`` does what every trainer must; see the suites."""

import pytest

from coterie.testing import TeamTrainerSuite, TrainerSuite


class OnRay:
    @pytest.fixture(autouse=True)
    def _take(self, pooled):
        self.pooled = pooled

    def make_trainer(self, **arguments):
        own = {"islands": min(2, len(arguments["agents"])), "stretch": 5}
        cfg = {**arguments.pop("cfg", {}), **own}
        return self.pooled.make(**arguments, cfg=cfg)


class TestRay(OnRay, TrainerSuite):
    pass


class TestRayTeams(OnRay, TeamTrainerSuite):
    pass
