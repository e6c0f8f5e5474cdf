"""EnvPool itself behind the contract; skipped where it is not installed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

import coterie
from coterie import ConfigError
from coterie.testing import EnvSuite
from coterie_envs import EnvPoolAdapter, EnvPoolEnv

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    envpool = pytest.importorskip("envpool")

pytestmark = pytest.mark.filterwarnings("ignore:.*Box (low|high)'s precision:UserWarning")


class TestEnvPoolCartPole(EnvSuite):
    def make_env(self, num_envs, seed):
        return coterie.make_env("envpool:CartPole-v1", num_envs=num_envs, seed=seed)


class TestEnvPoolPendulum(EnvSuite):
    """Every episode is truncated."""

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "envpool:Pendulum-v1", num_envs=num_envs, seed=seed, max_episode_steps=30
        )


class TestEnvPoolTaxi(EnvSuite):
    """Discrete observations, which EnvPool gives as int32."""

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "envpool:Taxi-v3", num_envs=num_envs, seed=seed, max_episode_steps=20
        )


class TestEnvPoolHalfCheetah(EnvSuite):
    """MuJoCo, in float64."""

    timesteps = 40

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "envpool:HalfCheetah-v5", num_envs=num_envs, seed=seed, max_episode_steps=15
        )


class TestWrappedPool(EnvSuite):
    def make_env(self, num_envs, seed):
        pool = envpool.make("Acrobot-v1", env_type="gymnasium", num_envs=num_envs,
                            max_episode_steps=25)  # fmt: skip
        return coterie.wrap_env(pool, seed=seed)


def make(env_id: str, **settings: object) -> EnvPoolEnv:
    return EnvPoolAdapter().make(env_id, **settings)  # type: ignore[arg-type]


def test_steps_are_those_of_the_bare_library():
    """Seeds per instance, truncation, the step that only resets and its reward."""
    env = make("Pendulum-v1", num_envs=2, max_episode_steps=3)
    bare = envpool.make_gymnasium("Pendulum-v1", num_envs=2, max_episode_steps=3, env_seed=[4, 9])
    first, _ = env.reset(seed=[4, 9])
    assert first.tolist() == bare.reset()[0].tolist()
    actions = torch.tensor([[0.5], [-1.5]])
    flags, elapsed = [], []
    for _ in range(5):
        found, expected = env.step(actions), bare.step(actions.numpy())
        for mine, theirs in zip(found[:4], expected[:4], strict=True):
            assert mine.tolist() == theirs.tolist()
        flags.append(found[3].tolist())
        elapsed.append(found[4]["elapsed_step"].tolist())
        assert found[2].dtype == found[3].dtype == torch.bool
        assert (found[1].dtype, found[0].dtype) == (torch.float32, torch.float32)
    assert flags == [[False] * 2, [False] * 2, [True] * 2, [False] * 2, [False] * 2]
    assert elapsed == [[1, 1], [2, 2], [3, 3], [0, 0], [1, 1]]


def test_infos_have_no_numbers_of_instances():
    env = make("HalfCheetah-v5", num_envs=2)
    _, infos = env.reset(seed=0)
    assert sorted(infos) == [
        "elapsed_step",
        "reward_ctrl",
        "reward_run",
        "x_position",
        "x_velocity",
    ]
    *_, infos = env.step(torch.zeros(2, 6, dtype=torch.float64))
    assert all(value.shape == (2,) for value in infos.values())


def test_one_seed_is_spread_and_none_goes_on():
    env = make("CartPole-v1", num_envs=3, seed=7)
    first, _ = env.reset()
    assert first.tolist() == env.reset(seed=[7, 8, 9])[0].tolist()
    again, _ = env.reset()
    assert first.tolist() != again.tolist()
    large, _ = env.reset(seed=2**31 + 7)
    assert large.tolist() == first.tolist()


def test_images():
    env = make("Pong-v5", num_envs=2, stack_num=2)
    observations, _ = env.reset(seed=0)
    assert (observations.shape, observations.dtype) == ((2, 2, 84, 84), torch.uint8)
    observations, *_, infos = env.step(torch.tensor([2, 3]))
    assert int(observations.max()) > 0
    assert infos["lives"].shape == (2,)
    env.close()


def test_dict_observations():
    env = make("CartpoleBalance-v1", num_envs=2)
    observations, _ = env.reset(seed=0)
    assert {key: tuple(value.shape) for key, value in observations.items()} == {
        "position": (2, 3),
        "velocity": (2, 2),
    }


def test_a_wrapped_pool_keeps_its_settings():
    pool = envpool.make_gymnasium("Pendulum-v1", num_envs=2, max_episode_steps=4, seed=3)
    env = coterie.wrap_env(pool)
    assert (env.name, env.num_envs, env.seed) == ("envpool:Pendulum", 2, 3)
    assert env.autoreset_mode is AutoresetMode.NEXT_STEP
    assert env.reset()[0].tolist() == pool.reset()[0].tolist()
    flags = [env.step(torch.zeros(2, 1))[3].tolist() for _ in range(5)]
    assert flags == [[False] * 2] * 3 + [[True] * 2, [False] * 2]
    assert env.env.config["env_seed"] == [3, 4]


def test_other_pools_are_refused():
    with pytest.raises(ConfigError, match="steps 1 of 2 instances at a time"):
        coterie.wrap_env(envpool.make_gymnasium("Pendulum-v1", num_envs=2, batch_size=1))
    with pytest.raises(ConfigError, match='env_type="gymnasium"'):
        coterie.wrap_env(envpool.make_dm("Pendulum-v1", num_envs=1))


@pytest.mark.parametrize(
    ("env_id", "settings", "message"),
    [
        ("Pendulum-v7", {}, "did you mean 'Pendulum-v1'"),
        ("Pendulm", {}, "did you mean 'Pendulum-v1'"),
        ("Qqqqqqq-v0", {}, "list_all_envs"),
        ("Pendulum-v1", {"thread": 2}, "has no setting 'thread'; did you mean 'num_threads'"),
        ("Pendulum-v1", {"batch_size": 1}, "batch_size can't be set"),
        ("Pendulum-v1", {"max_episode_steps": "many"}, "could not be made: TypeError"),
        ("Pendulum-v1", {"render_mode": "ansi"}, "render_mode must be one of"),
        ("Pendulum-v1", {"num_envs": 0}, "num_envs = 0: expected"),
    ],
)
def test_wrong_arguments_are_explained(env_id, settings, message):
    with pytest.raises(ConfigError, match=message):
        make(env_id, **settings)


def test_misuse_is_explained():
    env = make("Pendulum-v1", num_envs=2)
    with pytest.raises(coterie.EnvContractError, match=r"call reset\(\) first"):
        env.step(torch.zeros(2, 1))
    with pytest.raises(ValueError, match="resets its instances by itself"):
        env.reset(options={"reset_mask": torch.ones(2, dtype=torch.bool)})
    with pytest.raises(ValueError, match="expected 2 seeds"):
        env.reset(seed=[1, 2, 3])
    assert env.render() is None


def test_threads_and_versions():
    env = make("CartPole", num_envs=2, num_threads=1)
    assert env.name == "envpool:CartPole-v1"
    env.reset(seed=0)
    assert env.env.config["num_threads"] == 1
    env.close()
    assert env.env is None


def test_ids_are_listed():
    ids = EnvPoolAdapter().ids()
    assert ids == sorted(ids)
    assert {"Pendulum-v1", "Pong-v5", "HalfCheetah-v5"} <= set(ids)


def test_the_newest_version_and_actions_are_converted():
    env = make("HalfCheetah", num_envs=1)
    assert env.name == "envpool:HalfCheetah-v5"
    env.reset(seed=0)
    rewards = env.step(torch.zeros(1, 6, dtype=torch.float32))[1]
    assert np.isfinite(rewards.item())
