"""What every trainer must do with teams; inherit it to test yours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from gymnasium.vector import AutoresetMode

from .._agents.interface import Agent
from .._envs.interface import VectorEnv
from .._errors import ConfigError, WorkerError
from .._trainers.base import Trainer
from .._trainers.sequential import SequentialTrainer
from ._agents import SumAgent
from ._compare import assert_same_state, differs
from ._envs import CountingEnv
from ._team_envs import CountingTeamEnv
from ._teams import LeanSumTeam, SumTeam
from ._trainer_suite import agents_for

_STEPS = 24


class TeamTrainerSuite:
    """Inherit this in a test class and implement :meth:`make_trainer`.

    .. code-block:: python

        class TestMyTrainerWithTeams(TeamTrainerSuite):
            def make_trainer(self, **arguments):
                return MyTrainer(**arguments)
    """

    equal_to_sequential = True
    """Whether the trainer promises the same bits as ``sequential``."""

    def make_trainer(self, **arguments: Any) -> Trainer:
        """Make the trainer under test from ``env``, ``agents``, ``scopes``, ``cfg`` and so on."""
        raise NotImplementedError

    def run(
        self,
        classes: Sequence[type[Agent]],
        *,
        reference: bool = False,
        env: VectorEnv | None = None,
        scopes: Sequence[int] | None = None,
        runs: int = 1,
        **cfg: Any,
    ) -> list[Agent]:
        """Train teams of these classes, with the trainer under test or ``sequential``."""
        env = env or CountingTeamEnv(2 * len(classes))
        agents = agents_for(env, *classes)
        make = SequentialTrainer if reference else self.make_trainer
        steps = {"timesteps": _STEPS, "disable_progressbar": True, "headless": True, **cfg}
        with make(env=env, agents=agents, scopes=scopes, cfg=steps) as trainer:
            for _ in range(runs):
                trainer.train()
        return agents

    def same_as_sequential(self, classes: Sequence[type[Agent]], **arguments: Any) -> None:
        """Assert that the trainer under test gives the bits that ``sequential`` gives."""
        env = arguments.pop("make_env", lambda: None)
        if not self.equal_to_sequential:
            pytest.skip("the trainer makes no promise of equal bits")
        expected = self.run(classes, reference=True, env=env(), **arguments)
        found = self.run(classes, env=env(), **arguments)
        for left, right in zip(expected, found, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())

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
        (once,) = self.run([SumTeam], timesteps=2 * _STEPS)
        (twice,) = self.run([SumTeam], runs=2)
        assert_same_state(once.state_dict(), twice.state_dict())

    def test_evaluating_teams_changes_nothing(self) -> None:
        """Evaluation leaves teams as they are, and training goes on as if it had not been."""
        env = CountingTeamEnv(4)
        agents = agents_for(env, SumTeam, LeanSumTeam)
        cfg = {"timesteps": _STEPS, "disable_progressbar": True, "stochastic_evaluation": True}
        with self.make_trainer(env=env, agents=agents, cfg=cfg) as trainer:
            trainer.train()
            before = [agent.state_dict() for agent in agents]
            summary = trainer.eval()
            after = [agent.state_dict() for agent in agents]
            assert not any(differs(old, new) for old, new in zip(before, after, strict=True))
            trainer.train()
        assert all(member.episodes > 0 for member in summary.members)
        undisturbed = self.run([SumTeam, LeanSumTeam], runs=2)
        for left, right in zip(undisturbed, agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())

    @pytest.mark.parametrize("phase", ["setup", "act", "record", "post_interaction"])
    def test_a_team_that_fails_has_a_name(self, phase: str) -> None:
        """A team that raises is named, with its phase and its timestep."""
        env, agents = self._with_a_bad_one(phase)
        cfg = {"timesteps": _STEPS, "disable_progressbar": True}
        with (
            self.make_trainer(env=env, agents=agents, cfg=cfg) as trainer,
            pytest.raises(WorkerError, match="out of ideas") as caught,
        ):
            trainer.train()
        assert (caught.value.agent_index, caught.value.phase) == (1, phase)
        assert caught.value.timestep == (None if phase == "setup" else 3)

    @pytest.mark.parametrize("phase", ["setup", "act", "post_interaction"])
    def test_one_bad_team_does_not_cost_the_others(self, phase: str) -> None:
        """With ``on_member_failure="continue"`` the others end with the bits that they would."""
        env, agents = self._with_a_bad_one(phase)
        cfg = {"timesteps": _STEPS, "disable_progressbar": True, "on_member_failure": "continue"}
        with self.make_trainer(env=env, agents=agents, cfg={**cfg, "debug": True}) as trainer:
            summary = trainer.train()
        assert [member.status for member in summary.members] == ["trained", "failed", "trained"]
        healthy = self.run([SumTeam] * 3)
        for index in (0, 2):
            assert_same_state(healthy[index].state_dict(), agents[index].state_dict())

    def test_agents_for_one_are_refused(self) -> None:
        """An agent for one in a multi-agent environment, or a team elsewhere: said at once."""
        team_env, env = CountingTeamEnv(2), CountingEnv(2)
        with pytest.raises(ConfigError, match=r"agent for one.*left, right, scout"):
            self.make_trainer(env=team_env, agents=agents_for(env, SumAgent), cfg={})
        with pytest.raises(ConfigError, match="is a team"):
            self.make_trainer(env=env, agents=agents_for(team_env, SumTeam), cfg={})

    def _with_a_bad_one(self, phase: str) -> tuple[VectorEnv, list[Agent]]:
        env = CountingTeamEnv(6)
        good = agents_for(env, SumTeam, SumTeam, SumTeam)
        bad = SumTeam(
            observation_space=env.observation_space,
            action_space=env.action_space,
            seed=1,
            cfg={"phase": phase, "at": 3},
        )
        return env, [good[0], bad, good[2]]
