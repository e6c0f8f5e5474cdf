"""What every agent must do; inherit it to test yours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .._agents.interface import Agent
from .._envs.interface import VectorEnv
from .._errors import ConfigError
from .._spaces import leaf_of, space_leaves
from .._state import flatten_state
from .._trainers.sequential import SequentialTrainer
from .._types import State
from ._compare import assert_same_state, differs, nothing_global
from ._envs import CountingEnv
from ._recycling import RecyclingTrainer

_trained: dict[tuple[Any, ...], State] = {}


class AgentSuite:
    """Inherit this in a test class and implement :meth:`make_agent`.

    .. code-block:: python

        class TestMyAgent(AgentSuite):
            def make_agent(self, **arguments):
                return MyAgent(**arguments, cfg={"rollouts": 8})

    Give the agent settings with which it learns several times within :attr:`timesteps`, and at
    least once in every half of them, but not at their middle.
    """

    timesteps = 50
    """Length of the training runs."""

    action_space: spaces.Space[Any] = spaces.Discrete(2)
    """Space of the actions; the observations are float32 vectors of three numbers."""

    def make_agent(self, **arguments: Any) -> Agent:
        """Make the agent under test from spaces, device, name and seed."""
        raise NotImplementedError

    def agent(self, env: VectorEnv, seed: int = 0) -> Agent:
        """Make the agent under test for ``env``."""
        return self.make_agent(
            observation_space=env.observation_space,
            action_space=env.action_space,
            state_space=env.state_space,
            seed=seed,
        )

    def train(self, agent: Agent, env: VectorEnv | None = None, timesteps: int = 0) -> Agent:
        """Train the agent alone."""
        env = env or self.env()
        cfg = {"timesteps": timesteps or self.timesteps, "disable_progressbar": True}
        SequentialTrainer(env=env, agents=[agent], cfg=cfg).train()
        return agent

    def trained(self, **settings: Any) -> State:
        """Return what a training alone ends with, in an environment of some settings.

        The tests of a class share it, but for tests that set attributes of their own: change
        nothing in it.
        """
        key = (type(self), *sorted(settings.items()))
        known = {} if vars(self) else _trained
        if key not in known:
            env = self.env(**settings)
            known[key] = self.train(self.agent(env), env).state_dict()
        return known[key]

    def env(self, num_envs: int = 4, **settings: Any) -> VectorEnv:
        """Make an environment with the suite's spaces."""
        return CountingEnv(num_envs, action_space=self.action_space, **settings)

    def test_actions_fit_their_space(self) -> None:
        """Actions have the shapes and dtypes of the space, in both modes."""
        env = self.env()
        agent = self.agent(env)
        agent.setup(env.num_envs)
        observations, _ = env.reset(seed=0)
        for deterministic in (False, True):
            with torch.no_grad():
                actions = agent.act(
                    observations, timestep=0, timesteps=1, deterministic=deterministic
                )
            for leaf in space_leaves(env.action_space):
                tensor = leaf_of(actions, leaf.path)
                assert tensor.shape == (env.num_envs, *leaf.shape)
                assert tensor.dtype == leaf.dtype

    def test_training_changes_it(self) -> None:
        """Training changes the state, to another one for another seed."""
        env = self.env()
        fresh = self.agent(env)
        fresh.setup(env.num_envs)
        other = self.train(self.agent(env, seed=1))
        assert differs(fresh.state_dict(), self.trained())
        assert differs(other.state_dict(), self.trained())

    def test_same_seed_same_bits(self) -> None:
        """Two trainings with one seed end with the same bits."""
        again = self.train(self.agent(self.env()))
        assert_same_state(self.trained(), again.state_dict())

    def test_alone_and_among_others(self) -> None:
        """A member of a population ends with the bits that it has alone."""
        env = self.env(12)
        agents = [self.agent(env, seed) for seed in (2, 0, 1)]
        cfg = {"timesteps": self.timesteps, "disable_progressbar": True}
        SequentialTrainer(env=env, agents=agents, cfg=cfg).train()
        assert_same_state(self.trained(), agents[1].state_dict())

    def test_the_state_is_plain(self) -> None:
        """The state is tensors and plain values, and nothing else."""
        flatten_state(self.trained())

    def test_interrupted_and_resumed(self, tmp_path: Path) -> None:
        """Saved to a file in the middle and loaded into a fresh agent, it ends the same."""
        env, half = self.env(), self.timesteps // 2
        agent = self.agent(env)
        cfg = {"disable_progressbar": True}
        trainer = SequentialTrainer(env=env, agents=[agent], cfg={**cfg, "timesteps": half})
        trainer.train()
        agent.save(tmp_path / "agent.safetensors")
        fresh = self.agent(env)
        fresh.setup(env.num_envs)
        fresh.load(tmp_path / "agent.safetensors")
        assert_same_state(agent.state_dict(), fresh.state_dict())
        agent.load_state_dict(fresh.state_dict())
        trainer.members[0].agent = fresh
        trainer.cfg = type(trainer.cfg)(timesteps=self.timesteps - half, **cfg)
        trainer.train()
        assert_same_state(self.trained(), fresh.state_dict())

    def test_loading_before_setup(self, tmp_path: Path) -> None:
        """A state can be loaded into an agent that no trainer has set up yet."""
        env = self.env()
        trained = self.train(self.agent(env), timesteps=self.timesteps // 2)
        trained.save(tmp_path / "agent.safetensors")
        fresh = self.agent(env)
        fresh.load(tmp_path / "agent.safetensors")
        fresh.setup(env.num_envs)
        assert_same_state(trained.state_dict(), fresh.state_dict())

    def test_setup_again_keeps_what_was_learned(self) -> None:
        """Another trainer can take the agent over."""
        agent = self.train(self.agent(self.env()), timesteps=self.timesteps // 2)
        before = agent.state_dict()
        agent.setup(4)
        assert_same_state(before, agent.state_dict())

    def test_metrics_are_handed_over_once(self) -> None:
        """``metrics()`` gives finite scalars, and forgets them."""
        env = self.env()
        agent = self.agent(env)
        agent.setup(env.num_envs)
        self.train(agent, env, self.timesteps // 2)
        agent.metrics()
        assert agent.metrics() == {}

    def test_reset_steps_teach_nothing(self) -> None:
        """With next-step autoreset, what a reset step pretends to be is never learned from."""
        env = self.env(autoreset_mode=AutoresetMode.NEXT_STEP, reset_reward=1e3)
        state = self.train(self.agent(env), env).state_dict()
        plain = self.trained(autoreset_mode=AutoresetMode.NEXT_STEP)
        assert_same_state(self.learned(plain), self.learned(state))

    def learned(self, state: dict[str, Any]) -> dict[str, Any]:
        """Pick what counts as learned from a state; memories may hold steps that are not used."""
        return state

    def test_buffers_that_are_reused(self) -> None:
        """A simulator that overwrites its tensors teaches the same."""
        reused = self.train(self.agent(self.env()), self.env(reuses_buffers=True))
        assert_same_state(self.trained(), reused.state_dict())

    def test_what_it_must_not_keep_may_spoil(self) -> None:
        """An agent that says that it keeps nothing learns the same when all of it is reused."""
        changes: tuple[dict[str, Any], ...] = {}, {"autoreset_mode": AutoresetMode.NEXT_STEP}
        for settings in changes:
            env = self.env(**settings)
            spoiled = self.agent(env)
            if spoiled.keeps_transitions:
                return
            cfg = {"timesteps": self.timesteps, "disable_progressbar": True}
            RecyclingTrainer(env=env, agents=[spoiled], cfg=cfg).train()
            assert_same_state(self.trained(**settings), spoiled.state_dict())

    def test_going_on_with_what_another_learned(self) -> None:
        """Heirs of one donor know the same, draw numbers of their own, and leave it as it is."""
        half = self.timesteps // 2
        donor, heir, other = (
            self.train(self.agent(self.env(), seed=seed), timesteps=half) for seed in (1, 0, 2)
        )
        before, learned = donor.state_dict(), donor.learned()
        for agent in (heir, other):
            numbers = agent.generator.get_state()
            assert differs(agent.learned(), learned)
            agent.inherit(learned)
            assert torch.equal(agent.generator.get_state(), numbers)
        known = heir.learned()
        assert_same_state(known, other.learned())
        self.train(heir, timesteps=half)
        assert_same_state(donor.state_dict(), before)
        assert_same_state(known, other.learned())
        assert differs(heir.learned(), known)

    def test_settings_that_can_change(self) -> None:
        """It names them, takes new values, and refuses what it does not know, unchanged."""
        agent = self.train(self.agent(self.env()), timesteps=self.timesteps // 2)
        before, cfg = agent.state_dict(), agent.cfg
        agent.reconfigure({name: getattr(cfg, name) for name in agent.changeable})
        for settings in ({"nowhere": 1}, {**dict.fromkeys(agent.changeable, object()), "no": 1}):
            with pytest.raises(ConfigError, match="no"):
                agent.reconfigure(settings)
        assert agent.cfg == cfg
        assert_same_state(agent.state_dict(), before)

    def test_nothing_global_changes(self) -> None:
        """Making and training it leaves the process as it was."""
        with nothing_global():
            self.train(self.agent(self.env()), timesteps=self.timesteps // 2)
