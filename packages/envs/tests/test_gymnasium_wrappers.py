"""Wrappers by name, and final observations of vector environments that a user made."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

import coterie
from coterie import ConfigError, EnvContractError
from coterie_envs import GymnasiumAdapter


def make(env_id: str, **settings: Any) -> Any:
    return GymnasiumAdapter().make(env_id, **settings)


def test_wrappers_by_name_with_settings_and_by_module():
    env = make(
        "Pendulum-v1",
        num_envs=2,
        wrappers=[
            "FlattenObservation",
            {"name": "RescaleAction", "min_action": -1.0, "max_action": 1.0},
            {"name": "gymnasium.wrappers:FrameStackObservation", "stack_size": 4},
        ],
    )
    assert env.observation_space.shape == (4, 3)
    assert env.action_space.high.tolist() == [1.0]
    assert env.reset(seed=0)[0].shape == (2, 4, 3)


def test_wrappers_of_the_whole_vector():
    env = make(
        "CartPole-v1",
        num_envs=2,
        vector_wrappers=[{"name": "ReshapeObservation", "shape": [2, 2]}],
    )
    assert env.reset(seed=0)[0].shape == (2, 2, 2)
    assert env.reuses_buffers is True


def test_functions_still_wrap():
    env = make("Pendulum-v1", wrappers=[lambda env: gymnasium.wrappers.TimeLimit(env, 2)])
    env.reset(seed=0)
    assert [env.step(torch.zeros(1, 1))[3].item() for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"wrappers": ["FlatenObservation"]}, "did you mean 'FlattenObservation'"),
        ({"wrappers": ["coterie_no_such:Thing"]}, r"wrappers\[0\]: the module 'coterie_no_such'"),
        ({"wrappers": "FlattenObservation"}, "expected a list of names"),
        ({"wrappers": [{"min_action": 1}]}, "a table with 'name'"),
        ({"wrappers": [3]}, r"wrappers\[0\] = 3: expected a name"),
        ({"wrappers": [{"name": "RescaleAction", "low": 1}]}, "could not be made: TypeError"),
        ({"vector_wrappers": ["FlatenObservation"]}, "did you mean 'FlattenObservation'"),
        ({"vector_wrappers": [{"name": "ReshapeObservation"}]}, "could not be made: TypeError"),
    ],
)
def test_wrong_wrappers_are_explained(given, message):
    with pytest.raises(ConfigError, match=message):
        make("Pendulum-v1", **given)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_users_same_step_vector_of_instances_that_reuse_their_array(counter, wrapped):
    bare: Any = SyncVectorEnv(
        [lambda n=n: counter(n, reuse=True, truncate=True) for n in (2, 3)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    if wrapped:
        bare = gymnasium.wrappers.vector.RecordEpisodeStatistics(bare)
    env = coterie.wrap_env(bare)
    env.reset(seed=0)
    actions = torch.tensor([1, 2])
    env.step(actions)
    observations, *_, infos = env.step(actions)
    assert infos["final_obs"][0].tolist() == [0, 2]
    assert observations.tolist() == [[1, 0], [0, 2]]


class Handmade(VectorEnv):
    """A user's own vectorisation: one buffer, in which instances are reset in place."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, how: str) -> None:
        self.num_envs = 2
        self.single_observation_space = spaces.Box(0, 9, (1,), np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = spaces.Box(0, 9, (2, 1), np.float32)
        self.action_space = spaces.MultiDiscrete([2, 2])
        self.how, self.buffer = how, np.zeros((2, 1), np.float32)

    def reset(self, *, seed=None, options=None):
        self.buffer[:] = 0
        return self.buffer, {}

    def step(self, actions):
        self.buffer += 1
        done = self.buffer[:, 0] >= 2
        infos = {}
        if done.any():
            final = self.buffer.copy() if self.how == "copy" else self.buffer
            if self.how == "rows":
                final = np.array([None, None], object)
                final[:] = [self.buffer[0], self.buffer[1]]
            infos = {"final_obs": final, "_final_obs": done.copy()}
        self.buffer[done] = 0
        return self.buffer, np.zeros(2), np.zeros(2, bool), done, infos


def test_final_observations_in_the_memory_of_the_next_are_refused():
    for how in ("rows", "buffer"):
        env = coterie.wrap_env(Handmade(how))
        env.reset(seed=0)
        env.step(torch.zeros(2, dtype=torch.int64))
        with pytest.raises(EnvContractError, match="copy it before the reset"):
            env.step(torch.zeros(2, dtype=torch.int64))
    env = coterie.wrap_env(Handmade("copy"))
    env.reset(seed=0)
    env.step(torch.zeros(2, dtype=torch.int64))
    assert env.step(torch.zeros(2, dtype=torch.int64))[-1]["final_obs"].tolist() == [[2], [2]]


def test_what_can_not_be_mended_in_other_processes_is_told(counter):
    bare = AsyncVectorEnv(
        [lambda: counter(2, reuse=True, truncate=True)] * 2,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    env = coterie.wrap_env(bare)
    try:
        env.reset(seed=0)
        env.step(torch.tensor([0, 0]))
        with pytest.warns(UserWarning, match="copy the observation of the last step"):
            env.step(torch.tensor([0, 0]))
    finally:
        env.close()
