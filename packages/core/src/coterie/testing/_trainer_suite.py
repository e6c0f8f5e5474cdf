"""What every trainer must do; inherit it to test yours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._agents.interface import Agent
from .._envs.interface import VectorEnv
from .._errors import EnvContractError, TrainerStateError, WorkerError
from .._trainers.base import Trainer
from .._trainers.sequential import SequentialTrainer
from ._agents import GlobalDrawAgent, LeanSumAgent, RaisingAgent, SumAgent
from ._compare import assert_same_state, differs, nothing_global
from ._envs import BrokenEnv, CountingEnv, SpaceEnv

_STEPS = 24


def agents_for(env: VectorEnv, *classes: type[Agent], **settings: Any) -> list[Agent]:
    """Make one agent of each class for ``env``, with the seeds 0, 1, 2 and so on."""
    return [
        cls(
            observation_space=env.observation_space,
            action_space=env.action_space,
            state_space=env.state_space,
            seed=seed,
            **settings,
        )
        for seed, cls in enumerate(classes)
    ]


class TrainerSuite:
    """Inherit this in a test class and implement :meth:`make_trainer`.

    .. code-block:: python

        class TestMyTrainer(TrainerSuite):
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
        """Train agents of these classes, with the trainer under test or ``sequential``."""
        env = env or CountingEnv(2 * len(classes))
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

    @pytest.mark.parametrize("count", [1, 2, 3, 8])
    def test_same_bits_as_sequential(self, count: int) -> None:
        """A population of any size ends with the bits of ``sequential``."""
        self.same_as_sequential([SumAgent] * count)

    def test_agents_that_draw_globally(self) -> None:
        """Agents that use the process-wide generators do not disturb each other."""
        self.same_as_sequential([GlobalDrawAgent, SumAgent, GlobalDrawAgent])

    @pytest.mark.parametrize("mode", list(AutoresetMode))
    def test_every_autoreset_mode(self, mode: AutoresetMode) -> None:
        """Every way to reset an instance gives the bits of ``sequential``."""
        self.same_as_sequential(
            [SumAgent, LeanSumAgent], make_env=lambda: CountingEnv(5, autoreset_mode=mode)
        )

    def test_dict_spaces_and_states(self) -> None:
        """Structured observations and actions and privileged states arrive whole."""
        observation_space = spaces.Dict(
            {
                "camera": spaces.Box(0, 255, (2, 2, 3), np.uint8),
                "pair": spaces.Tuple((spaces.Discrete(3), spaces.MultiBinary(2))),
            }
        )
        action_space = spaces.Dict(
            {"a": spaces.Box(-1, 1, (2,)), "b": spaces.MultiDiscrete([2, 3])}
        )
        self.same_as_sequential(
            [SumAgent, LeanSumAgent],
            make_env=lambda: SpaceEnv(5, observation_space, action_space=action_space, state=True),
        )

    def test_unequal_scopes(self) -> None:
        """Scopes of different sizes work, and the caller's list stays as it is."""
        scopes = [1, 4, 2]
        self.same_as_sequential([SumAgent] * 3, make_env=lambda: CountingEnv(7), scopes=scopes)
        assert scopes == [1, 4, 2]

    def test_a_member_does_not_depend_on_the_population(self) -> None:
        """A member ends with the same bits alone and among others."""
        (alone,) = self.run([GlobalDrawAgent], env=CountingEnv(2))
        among, *_ = self.run([GlobalDrawAgent, SumAgent, GlobalDrawAgent], env=CountingEnv(6))
        assert_same_state(alone.state_dict(), among.state_dict())

    def test_training_learns(self) -> None:
        """The caller's own objects hold what was learned."""
        (agent,) = self.run([SumAgent])
        assert isinstance(agent, SumAgent)
        assert agent.steps == _STEPS
        assert agent.sum.abs().sum() > 0

    @pytest.mark.parametrize("kind", [SumAgent, GlobalDrawAgent])
    def test_training_twice_is_training_longer(self, kind: type[Agent]) -> None:
        """Two runs in a row end like one of twice the length."""
        (once,) = self.run([kind], timesteps=2 * _STEPS)
        (twice,) = self.run([kind], runs=2)
        assert_same_state(once.state_dict(), twice.state_dict())

    def test_evaluation_changes_nothing(self) -> None:
        """Evaluation leaves agents as they are, and training goes on as if it had not been."""
        env = CountingEnv(4)
        agents = agents_for(env, SumAgent, GlobalDrawAgent)
        cfg = {"timesteps": _STEPS, "disable_progressbar": True, "stochastic_evaluation": True}
        with self.make_trainer(env=env, agents=agents, cfg=cfg) as trainer:
            trainer.train()
            before = [agent.state_dict() for agent in agents]
            summary = trainer.eval()
            assert not any(
                differs(old, agent.state_dict()) for old, agent in zip(before, agents, strict=True)
            )
            trainer.train()
        assert all(member.episodes > 0 for member in summary.members)
        undisturbed = self.run([SumAgent, GlobalDrawAgent], env=CountingEnv(4), runs=2)
        for left, right in zip(undisturbed, agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())

    def test_nothing_global_changes(self) -> None:
        """The process is as before: generators, threads, signal handlers, start method."""
        with nothing_global():
            self.run([SumAgent, GlobalDrawAgent])

    @pytest.mark.parametrize(
        "phase", ["setup", "pre_interaction", "act", "record", "post_interaction"]
    )
    def test_a_failure_has_a_name(self, phase: str) -> None:
        """A member that raises is named, with its phase, its timestep and its traceback."""
        env, agents = self._with_a_bad_one(phase)
        cfg = {"timesteps": _STEPS, "disable_progressbar": True}
        with (
            self.make_trainer(env=env, agents=agents, cfg=cfg) as trainer,
            pytest.raises(WorkerError, match="out of ideas") as caught,
        ):
            trainer.train()
        failure = caught.value
        assert (failure.agent_index, failure.agent_name, failure.phase) == (1, "raising-1", phase)
        assert failure.timestep == (None if phase == "setup" else 3)
        assert "RuntimeError" in failure.remote_traceback

    @pytest.mark.parametrize("phase", ["setup", "act", "post_interaction"])
    def test_one_bad_member_does_not_cost_the_others(self, phase: str) -> None:
        """With ``on_member_failure="continue"`` the others end with the bits that they would."""
        env, agents = self._with_a_bad_one(phase)
        cfg = {"timesteps": _STEPS, "disable_progressbar": True, "on_member_failure": "continue"}
        with self.make_trainer(env=env, agents=agents, cfg=cfg) as trainer:
            summary = trainer.train()
        assert [member.status for member in summary.members] == ["trained", "failed", "trained"]
        healthy = self.run([SumAgent] * 3)
        for index in (0, 2):
            assert_same_state(healthy[index].state_dict(), agents[index].state_dict())

    def test_an_environment_that_raises(self) -> None:
        """What the environment raises arrives unwrapped, with a note about the step."""
        with pytest.raises(RuntimeError, match="fell over") as caught:
            self.run([SumAgent] * 2, env=BrokenEnv(4, at=5, how="raise"))
        assert any("step 5" in note for note in caught.value.__notes__)

    @pytest.mark.parametrize("how", ["nan", "shape", "dtype", "reward_shape", "no_final"])
    def test_an_environment_that_breaks_its_promise(self, how: str) -> None:
        """A wrong shape, dtype or value is refused at the step where it appears."""
        with pytest.raises(EnvContractError, match="step 5"):
            self.run([SumAgent] * 2, env=BrokenEnv(4, at=5, how=how))

    def test_life_cycle(self) -> None:
        """``close()`` can be repeated; a closed trainer says so."""
        env = CountingEnv(2)
        cfg = {"timesteps": 2, "disable_progressbar": True}
        trainer = self.make_trainer(env=env, agents=agents_for(env, SumAgent), cfg=cfg)
        trainer.train()
        trainer.close()
        trainer.close()
        with pytest.raises(TrainerStateError, match="closed"):
            trainer.train()

    def _with_a_bad_one(self, phase: str) -> tuple[VectorEnv, list[Agent]]:
        env = CountingEnv(6)
        good = agents_for(env, SumAgent, SumAgent, SumAgent)
        bad = RaisingAgent(
            observation_space=env.observation_space,
            action_space=env.action_space,
            seed=1,
            cfg={"phase": phase, "at": 3},
        )
        return env, [good[0], bad, good[2]]
