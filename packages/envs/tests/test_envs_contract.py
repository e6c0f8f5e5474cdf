"""Every environment of this package against core's suite, through ``coterie.make_env``."""

from __future__ import annotations

import gymnasium
import pytest
import torch

import coterie
from coterie.testing import EnvSuite
from coterie_envs import CartPole, GymnasiumEnv, Pendulum
from coterie_envs._gymnasium.names import find_spec


class TestTorchCartPole(EnvSuite):
    def make_env(self, num_envs, seed):
        return coterie.make_env("torch:CartPole-v1", num_envs=num_envs, seed=seed)


class TestTorchPendulum(EnvSuite):
    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "torch:Pendulum-v1", num_envs=num_envs, seed=seed, max_episode_steps=30
        )


class TestCartPoleEntryPoint(EnvSuite):
    def make_env(self, num_envs, seed):
        return coterie.make_env("gymnasium:CartPole-v1", num_envs=num_envs, seed=seed)


class TestCartPoleSync(EnvSuite):
    mode = "same_step"

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "gymnasium:CartPole-v1",
            num_envs=num_envs,
            seed=seed,
            vectorization="sync",
            autoreset_mode=self.mode,
        )


class TestCartPoleSyncNextStep(TestCartPoleSync):
    mode = "next_step"


class TestCartPoleSyncDisabled(TestCartPoleSync):
    mode = "disabled"


class TestPendulumAsync(EnvSuite):
    timesteps = 25

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "gymnasium:Pendulum-v1",
            num_envs=num_envs,
            seed=seed,
            vectorization="async",
            max_episode_steps=10,
        )

    def break_close(self, env, close):
        env.env.set_attr("close", close)


class TestWrappedTaxi(EnvSuite):
    """Discrete observations, arrays in infos, and a wrapper that may reuse its buffers."""

    infos_that_vary = frozenset({"t"})

    def make_env(self, num_envs, seed):
        newest = find_spec("Taxi").id
        env = gymnasium.make_vec(newest, num_envs, "sync", max_episode_steps=20)
        return coterie.wrap_env(gymnasium.wrappers.vector.RecordEpisodeStatistics(env), seed=seed)


def test_what_is_made_and_wrapped():
    assert isinstance(coterie.make_env("torch:CartPole-v1", num_envs=2), CartPole)
    assert isinstance(coterie.make_env("torch:Pendulum-v1", num_envs=2), Pendulum)
    single = coterie.wrap_env(gymnasium.make("CartPole-v1"), seed=3)
    assert isinstance(single, GymnasiumEnv)
    assert (single.num_envs, single.seed) == (1, 3)
    env = coterie.make_env("gymnasium:CartPole-v1", num_envs=64, seed=0)
    assert isinstance(env, GymnasiumEnv)
    assert repr(env) == "<GymnasiumEnv gymnasium:CartPole-v1: 64 instances on cpu>"


def test_wrong_ids_through_core():
    for spec, meant in (
        ("gymnasium:CartPole-v9", "CartPole-v1"),
        ("torch:Cartpole", "CartPole-v1"),
        ("torch:Pendulum-v0", "Pendulum-v1"),
    ):
        with pytest.raises(coterie.ConfigError, match=f"did you mean '{meant}'"):
            coterie.make_env(spec, num_envs=2)


def test_module_ids_through_core():
    env = coterie.make_env("gymnasium:gymnasium.envs:Pendulum-v1", num_envs=1)
    assert env.name == "gymnasium:Pendulum-v1"


def test_the_whole_population_steps_thousands():
    env = coterie.make_env("torch:CartPole-v1", num_envs=4096, seed=1)
    env.reset()
    total = torch.zeros(4096)
    for step in range(40):
        _, rewards, *_ = env.step(torch.full((4096,), step % 2))
        total += rewards
    assert total.tolist() == [40.0] * 4096
