"""What every trainer must do; inherit it to test yours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._agents.interface import Agent
from .._envs.interface import VectorEnv
from .._errors import EnvContractError, TrainerStateError
from ._agents import ForgetfulAgent, GlobalDrawAgent, LeanSumAgent, RaisingAgent, SumAgent
from ._between_steps import BetweenSteps
from ._compare import assert_same_state, nothing_global
from ._envs import BrokenEnv, CountingEnv, SpaceEnv
from ._training_runs import STEPS, agents_for


class TrainerSuite(BetweenSteps):
    """Inherit this in a test class and implement :meth:`make_trainer`.

    .. code-block:: python

        class TestMyTrainer(TrainerSuite):
            def make_trainer(self, **arguments):
                return MyTrainer(**arguments)
    """

    _good = SumAgent
    _raising = RaisingAgent

    def default_env(self, num_envs: int) -> VectorEnv:
        """Make the environment of the tests that name none."""
        return CountingEnv(num_envs)

    def test_going_on_from_a_checkpoint(self, tmp_path: Path) -> None:
        """A run that goes on from any checkpoint ends with the bits of the uninterrupted one."""
        self._goes_on_from_any_checkpoint([SumAgent, GlobalDrawAgent, LeanSumAgent], tmp_path)

    def test_a_member_that_stops(self) -> None:
        """A stopped member keeps what it learned; the others do not change by a bit."""
        self._others_go_on_when_one_stops([SumAgent, GlobalDrawAgent, LeanSumAgent])

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
        assert agent.steps == STEPS
        assert agent.sum.abs().sum() > 0

    @pytest.mark.parametrize("kind", [SumAgent, GlobalDrawAgent, ForgetfulAgent])
    def test_training_twice_is_training_longer(self, kind: type[Agent]) -> None:
        """Two runs in a row end like one of twice the length."""
        self._twice_is_longer(kind)

    def test_evaluation_changes_nothing(self) -> None:
        """Evaluation leaves agents as they are, and training goes on as if it had not been."""
        self._evaluation_leaves_no_trace([SumAgent, GlobalDrawAgent])

    def test_nothing_global_changes(self) -> None:
        """The process is as before: generators, threads, signal handlers, start method."""
        with nothing_global():
            self.run([SumAgent, GlobalDrawAgent])

    @pytest.mark.parametrize(
        "phase", ["setup", "pre_interaction", "act", "record", "post_interaction"]
    )
    def test_a_failure_has_a_name(self, phase: str) -> None:
        """A member that raises is named, with its phase, its timestep and its traceback."""
        failure = self._failure_in(phase)
        assert failure.agent_name == "raising-1"
        assert "RuntimeError" in failure.remote_traceback

    @pytest.mark.parametrize("phase", ["setup", "act", "post_interaction"])
    def test_one_bad_member_does_not_cost_the_others(self, phase: str) -> None:
        """With ``on_member_failure="continue"`` the others end with the bits that they would."""
        self._others_go_on(phase)

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
