"""What every trainer must do with teams; inherit it to test yours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gymnasium.vector import AutoresetMode

from .._envs.interface import VectorEnv
from .._errors import ConfigError
from ._agents import SumAgent
from ._between_steps import BetweenSteps
from ._compare import assert_same_state
from ._envs import CountingEnv
from ._team_envs import CountingTeamEnv
from ._teams import LeanSumTeam, SumTeam
from ._training_runs import agents_for


class TeamTrainerSuite(BetweenSteps):
    """Inherit this in a test class and implement :meth:`make_trainer`.

    .. code-block:: python

        class TestMyTrainerWithTeams(TeamTrainerSuite):
            def make_trainer(self, **arguments):
                return MyTrainer(**arguments)
    """

    _good = SumTeam
    _raising = SumTeam

    def default_env(self, num_envs: int) -> VectorEnv:
        """Make the environment of the tests that name none."""
        return CountingTeamEnv(num_envs)

    def test_teams_go_on_from_a_checkpoint(self, tmp_path: Path) -> None:
        """A run that goes on from any checkpoint ends with the bits of the uninterrupted one."""
        self._goes_on_from_any_checkpoint([SumTeam, LeanSumTeam], tmp_path)

    def test_a_team_that_stops(self) -> None:
        """A stopped team keeps what it learned; the others do not change by a bit."""
        self._others_go_on_when_one_stops([SumTeam, LeanSumTeam, SumTeam])

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_teams_end_as_under_sequential(self, count: int) -> None:
        """Any number of teams ends with the bits of ``sequential``."""
        self.same_as_sequential([SumTeam, LeanSumTeam, SumTeam][:count])

    @pytest.mark.parametrize("mode", list(AutoresetMode))
    @pytest.mark.parametrize("together", [False, True])
    def test_teams_in_every_autoreset_mode(self, mode: AutoresetMode, together: bool) -> None:
        """Every way to reset an instance gives the bits of ``sequential``."""
        self.same_as_sequential(
            [SumTeam, LeanSumTeam],
            make_env=lambda: CountingTeamEnv(5, autoreset_mode=mode, together=together),
        )

    @pytest.mark.parametrize("state", ["shared", "own"])
    def test_teams_with_states(self, state: Any) -> None:
        """Shared states and those of each actor arrive whole."""
        self.same_as_sequential(
            [SumTeam, LeanSumTeam], make_env=lambda: CountingTeamEnv(4, state=state)
        )

    def test_teams_with_unequal_scopes(self) -> None:
        """Scopes of different sizes work."""
        self.same_as_sequential(
            [SumTeam] * 3, make_env=lambda: CountingTeamEnv(7), scopes=[1, 4, 2]
        )

    @pytest.mark.parametrize("count", [2, 3])
    def test_a_team_does_not_depend_on_the_population(self, count: int) -> None:
        """A team ends with the same bits alone and among others."""
        (alone,) = self.run([SumTeam], env=CountingTeamEnv(2))
        among, *_ = self.run([SumTeam, LeanSumTeam, SumTeam][:count])
        assert_same_state(alone.state_dict(), among.state_dict())

    def test_training_teams_twice_is_training_them_longer(self) -> None:
        """Two runs in a row, the first of which ends in the middle of episodes, end like one."""
        self._twice_is_longer(SumTeam)

    def test_evaluating_teams_changes_nothing(self) -> None:
        """Evaluation leaves teams as they are, and training goes on as if it had not been."""
        self._evaluation_leaves_no_trace([SumTeam, LeanSumTeam])

    @pytest.mark.parametrize("phase", ["setup", "act", "record", "post_interaction"])
    def test_a_team_that_fails_has_a_name(self, phase: str) -> None:
        """A team that raises is named, with its phase and its timestep."""
        self._failure_in(phase)

    @pytest.mark.parametrize("phase", ["setup", "act", "post_interaction"])
    def test_one_bad_team_does_not_cost_the_others(self, phase: str) -> None:
        """With ``on_member_failure="continue"`` the others end with the bits that they would."""
        self._others_go_on(phase, debug=True)

    def test_agents_for_one_are_refused(self) -> None:
        """An agent for one in a multi-agent environment, or a team elsewhere: said at once."""
        team_env, env = CountingTeamEnv(2), CountingEnv(2)
        with pytest.raises(ConfigError, match=r"agent for one.*left, right, scout"):
            self.make_trainer(env=team_env, agents=agents_for(env, SumAgent), cfg={})
        with pytest.raises(ConfigError, match="is a team"):
            self.make_trainer(env=env, agents=agents_for(team_env, SumTeam), cfg={})
