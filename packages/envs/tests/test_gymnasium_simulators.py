"""Simulators that gymnasium brings; each skipped where it is not installed."""

from __future__ import annotations

import gymnasium
import pytest
import torch

import coterie
from coterie.testing import EnvSuite


class TestHalfCheetah(EnvSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        pytest.importorskip("mujoco")
        return coterie.make_env(
            "gymnasium:HalfCheetah-v5", num_envs=num_envs, seed=seed, max_episode_steps=15
        )


def test_half_cheetah_is_the_one_of_gymnasium():
    pytest.importorskip("mujoco")
    env = coterie.make_env("gymnasium:HalfCheetah-v5", num_envs=2, max_episode_steps=2)
    bare = gymnasium.make("HalfCheetah-v5")
    assert env.reset(seed=[3, 4])[0][1].tolist() == bare.reset(seed=4)[0].tolist()
    actions = torch.full((2, 6), 0.5)
    for _ in range(2):
        observations, rewards, _, truncated, infos = env.step(actions)
        expected = bare.step(actions[1].numpy())
    assert truncated.tolist() == [True, True]
    assert infos["final_obs"][1].tolist() == expected[0].tolist()
    assert rewards[1].item() == pytest.approx(expected[1])
    assert not torch.equal(infos["final_obs"], observations)


def test_atari_with_wrappers_by_name():
    pytest.importorskip("ale_py")
    pytest.importorskip("cv2")
    env = coterie.make_env(
        "gymnasium:ALE/Pong-v5",
        num_envs=2,
        vectorization="sync",
        frameskip=1,
        wrappers=[
            {"name": "AtariPreprocessing", "noop_max": 0, "screen_size": 64},
            {"name": "FrameStackObservation", "stack_size": 2},
        ],
    )
    observations, _ = env.reset(seed=[0, 1])
    assert (observations.shape, observations.dtype) == ((2, 2, 64, 64), torch.uint8)
    observations, *_ = env.step(torch.tensor([2, 3]))
    assert int(observations.max()) > 0
    env.close()
