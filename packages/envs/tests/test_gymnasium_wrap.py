from __future__ import annotations

import os
import signal
import time
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from coterie import ConfigError
from coterie_envs import GymnasiumAdapter
from coterie_envs._gymnasium import closing


def wrap(env: Any, **settings: Any) -> Any:
    return GymnasiumAdapter().wrap(env, **settings)


def test_a_single_environment_becomes_one_instance(counter):
    single = counter(length=2)
    env = wrap(single, seed=5)
    assert (env.num_envs, env.name) == (1, "gymnasium:Counter")
    assert env.autoreset_mode is AutoresetMode.SAME_STEP
    assert env.independent_streams is True
    env.reset()
    assert single.draw == np.random.default_rng(5).random()
    env.step(torch.tensor([1]))
    assert single.steps == 1
    env.close()
    env.close()
    assert single.closed == 1


def test_time_limits_of_a_single_environment_are_kept():
    env = wrap(gymnasium.make("Pendulum-v1", max_episode_steps=2))
    assert env.name == "gymnasium:Pendulum-v1"
    env.reset(seed=0)
    flags = [env.step(torch.zeros(1, 1))[3].item() for _ in range(4)]
    assert flags == [False, True, False, True]


def test_vector_environments_keep_their_ways():
    bare = gymnasium.make_vec("CartPole-v1", 3)
    env = wrap(bare)
    assert (env.name, env.num_envs, env.env) == ("gymnasium:CartPole-v1", 3, bare)
    assert env.autoreset_mode is AutoresetMode.NEXT_STEP
    make = [lambda: gymnasium.make("CartPole-v1")] * 2
    env = wrap(SyncVectorEnv(make, autoreset_mode=AutoresetMode.DISABLED))
    assert (env.name, env.autoreset_mode) == ("gymnasium:CartPole-v1", AutoresetMode.DISABLED)


def test_wrappers_around_vector_environments():
    bare = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync")
    wrapped = gymnasium.wrappers.vector.RecordEpisodeStatistics(bare)
    env = wrap(gymnasium.wrappers.vector.ReshapeObservation(wrapped, (2, 2)))
    assert env.independent_streams is True
    assert env.reuses_buffers is True
    assert env.reset(seed=[0, 1])[0].shape == (2, 2, 2)
    infos: dict[str, Any] = {}
    for _ in range(30):
        *_, infos = env.step(torch.ones(2, dtype=torch.int64))
        if "episode" in infos:
            break
    assert infos["episode"]["l"].max() >= 8


def test_other_objects_are_refused():
    with pytest.raises(ConfigError, match=r"got builtins\.dict"):
        wrap({})


def test_a_single_environment_with_several_instances_is_refused(counter):
    many = counter()
    many.num_envs = 16
    with pytest.raises(ConfigError, match="says it has 16 instances"):
        wrap(many)


def test_an_async_environment(counter):
    env = wrap(AsyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2), seed=3)
    try:
        assert env.independent_streams is True
        first = gymnasium.make("CartPole-v1").reset(seed=3)[0]
        assert env.reset()[0][0].tolist() == first.tolist()
        observations, *_ = env.step(torch.tensor([1, 0]))
        assert observations.shape == (2, 4)
        processes = env.env.processes
        assert all(process.is_alive() for process in processes)
    finally:
        env.close()
    assert not any(process.is_alive() for process in processes)
    env.close()


@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGKILL])
def test_closing_is_bounded_and_leaves_no_process(monkeypatch, blow):
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.5)
    env = wrap(AsyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2))
    env.reset()
    processes = env.env.processes
    os.kill(processes[0].pid, blow)
    if blow is signal.SIGKILL:
        processes[0].join()
    start = time.monotonic()
    with pytest.warns(RuntimeWarning, match="its processes were killed"):
        env.close()
    assert time.monotonic() - start < 8
    assert not any(process.is_alive() for process in processes)
    assert env.env.closed


class Framed(gymnasium.Env[Any, Any]):
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array", "human"]}
    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode: str | None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def render(self):
        return np.full((2, 3, 3), 7, np.uint8) if self.render_mode == "rgb_array" else None


def test_frames():
    env = wrap(SyncVectorEnv([lambda: Framed("rgb_array")] * 4))
    env.reset()
    frames = env.render()
    assert frames.shape == (4, 2, 3, 3)
    assert frames.dtype == np.uint8
    for mode in ("human", None):
        env = wrap(Framed(mode))
        env.reset()
        assert env.render() is None
