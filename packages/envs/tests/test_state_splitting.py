"""Cutting states by instance: parts go on as they did together, and what can't be cut is not."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import gymnasium
import pytest
import torch

import coterie
from coterie import EnvContractError
from coterie.spaces import sample_actions
from coterie.testing import EnvSuite, assert_same_state
from coterie_envs import TorchAdapter

MODES = ("same_step", "next_step", "disabled")
HALVES = [slice(0, 2), slice(2, 3)]


def check(make: Callable[..., Any], timesteps: int = 40) -> None:
    """Let the contract's suite cut an environment, and compare the parts with the whole."""
    env = make(num_envs=1)
    assert env.splits_state
    env.close()
    suite: Any = EnvSuite()
    suite.make_env = lambda count, seed: make(num_envs=count, seed=seed)
    suite.timesteps = timesteps
    suite.states_that_vary = {"episode_start_time", "time_queue"}
    suite.test_split_and_joined()


def of_gymnasium(name: str = "CartPole-v1", num_envs: int = 3, **settings: Any) -> Any:
    settings = {"vectorization": "sync", **settings}
    return coterie.make_env(f"gymnasium:{name}", num_envs=num_envs, **settings)


def ready(env: Any, steps: int = 4) -> Any:
    env.reset(seed=list(range(env.num_envs)) if env.independent_streams else 0)
    for timestep in range(steps):
        generator = torch.Generator().manual_seed(timestep)
        env.step(sample_actions(env.action_space, env.num_envs, generator))
    return env


@pytest.mark.parametrize("env_id", TorchAdapter().ids())
def test_torch(env_id):
    check(lambda **own: coterie.make_env(f"torch:{env_id}", max_episode_steps=7, **own))


def test_a_part_is_what_its_instances_alone_come_to():
    whole, alone = (coterie.make_env("torch:CartPole-v1", num_envs=n) for n in (6, 2))
    whole.reset(seed=list(range(6)))
    alone.reset(seed=[3, 4])
    ended = 0
    for timestep in range(60):
        actions = torch.randint(2, (6,), generator=torch.Generator().manual_seed(timestep))
        ended += int(whole.step(actions)[2][3:5].sum())
        alone.step(actions[3:5])
    assert ended > 2
    assert_same_state(whole.split_state(whole.state_dict(), [slice(3, 5)])[0], alone.state_dict())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "length"), [("CartPole-v1", 9), ("Acrobot-v1", 8), ("Pendulum-v1", 7)]
)
def test_classic_control(name, length, mode):
    settings = {"autoreset_mode": mode, "max_episode_steps": length}
    check(lambda **own: of_gymnasium(name, **settings, **own))


@pytest.mark.parametrize("name", ["HalfCheetah-v5", "Hopper-v5"])
def test_mujoco(name):
    pytest.importorskip("mujoco")
    check(lambda **own: of_gymnasium(name, max_episode_steps=8, **own), 24)


@pytest.mark.parametrize(
    "wrappers",
    [
        ["NormalizeObservation", {"name": "NormalizeReward", "gamma": 0.9}],
        ["RecordEpisodeStatistics", {"name": "FrameStackObservation", "stack_size": 3}],
        ["TimeAwareObservation", "FlattenObservation", {"name": "RepeatAction", "num_repeats": 2}],
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_wrappers_of_instances(wrappers, mode):
    check(lambda **own: of_gymnasium(wrappers=wrappers, autoreset_mode=mode, **own))


def test_wrappers_of_vectors_without_a_state():
    clip = {"name": "ClipReward", "min_reward": 0.0, "max_reward": 0.5}
    settings = {"vector_wrappers": [clip, "FlattenObservation"], "autoreset_mode": "next_step"}
    check(lambda **own: of_gymnasium(**settings, **own))


@pytest.mark.parametrize(
    "settings",
    [
        {"vector_wrappers": ["RecordEpisodeStatistics"]},
        {"vector_wrappers": ["NormalizeObservation"], "autoreset_mode": "next_step"},
        {"vector_wrappers": ["NormalizeReward"]},
        {"vectorization": "vector_entry_point"},
    ],
)
def test_what_instances_share_is_not_cut(settings):
    env = ready(of_gymnasium(**settings))
    assert env.saves_state
    assert not env.splits_state
    with pytest.raises(EnvContractError, match="can't split"):
        env.split_state(env.state_dict(), [slice(0, 1)])
    with pytest.raises(EnvContractError, match="can't join"):
        env.join_states([env.state_dict()])


def test_what_is_not_saved_is_not_cut(counter):
    env = coterie.wrap_env(gymnasium.vector.SyncVectorEnv([counter, counter]))
    assert not env.splits_state
    asynchronous = of_gymnasium(num_envs=1, vectorization="async")
    assert not asynchronous.splits_state
    asynchronous.close()


def saving() -> list[Any]:
    return [coterie.make_env("torch:CartPole-v1", num_envs=3), of_gymnasium()]


@pytest.mark.parametrize("env", saving(), ids=lambda env: env.name)
def test_parts_are_copies(env):
    state = ready(env).state_dict()
    kept = deepcopy(state)
    parts = env.split_state(state, HALVES)
    joined = env.join_states(parts)
    for tensor in tensors_of([parts, joined]):
        tensor.zero_()
    assert_same_state(state, kept)


def tensors_of(value: Any) -> list[torch.Tensor]:
    if isinstance(value, dict | list):
        within = value.values() if isinstance(value, dict) else value
        return [one for part in within for one in tensors_of(part)]
    return [value] if isinstance(value, torch.Tensor) else []


@pytest.mark.parametrize("env", saving(), ids=lambda env: env.name)
def test_wrong_scopes(env):
    state = ready(env).state_dict()
    for scope in (slice(2, 4), slice(1, 1), slice(-2, -1), slice(0, 3, 2), slice(2, 1)):
        with pytest.raises(ValueError, match="at least one of the 3 instances"):
            env.split_state(state, [scope])
    assert env.split_state(state, []) == []
    assert_same_state(env.split_state(state, [slice(None)])[0], state)


def damaged(state: Any, *path: Any, value: Any) -> Any:
    copy = deepcopy(state)
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def test_damaged_states_of_torch():
    env = ready(coterie.make_env("torch:CartPole-v1", num_envs=3))
    state = env.state_dict()
    for broken, message in (
        ({}, "expected"),
        (damaged(state, "positions", value=None), "tensor with rows, got NoneType"),
        (damaged(state, "elapsed", value=torch.zeros(2)), r"size 3 in dimension 0, got .*\(2,\)"),
        (damaged(state, "state", value=torch.zeros(3)), r"size 3 in dimension 1, got .*\(3,\)"),
    ):
        with pytest.raises(EnvContractError, match=message):
            env.split_state(broken, [slice(0, 1)])
    other = ready(coterie.make_env("torch:Pendulum-v1", num_envs=3)).state_dict()
    with pytest.raises(EnvContractError, match="dimension 1 alone"):
        env.join_states([state, other])
    with pytest.raises(EnvContractError, match="dimension 0 alone"):
        env.join_states([state, damaged(state, "elapsed", value=3)])
    with pytest.raises(EnvContractError, match="dimension 1 alone"):
        env.join_states([])


def test_damaged_states_of_gymnasium():
    env = ready(of_gymnasium())
    state = env.state_dict()
    layers = ("env", "layers", 0)
    for broken, message in (
        ({}, "expected"),
        (damaged(state, "num_envs", value=2), "expected a list of 2, got 3"),
        (damaged(state, "num_envs", value="3"), "expected an integer"),
        (damaged(state, *layers, "kind", value="Other"), r"\['SyncVectorEnv'\], got \['Other'\]"),
        (damaged(state, *layers, "_autoreset_envs", value=torch.zeros(2)), "size 3 in dimension"),
        (damaged(state, "observations", 0, value=torch.zeros(())), "size 3 in dimension"),
    ):
        with pytest.raises(EnvContractError, match=message):
            env.split_state(broken, [slice(0, 1)])
    counting = ready(of_gymnasium(vector_wrappers=["RecordEpisodeStatistics"]))
    with pytest.raises(EnvContractError, match="expected a list of 1"):
        env.split_state(counting.state_dict(), [slice(0, 1)])
    for values, message in (
        ([], "at least one"),
        ([state, damaged(state, "autoreset_mode", value="Disabled")], "in every state"),
        ([state, damaged(state, "observations", value=[])], "a list of 1 in every state"),
        ([state, damaged(state, *layers, "more", value=1)], "the same parts in every state"),
        ([state, damaged(state, "observations", 0, value=torch.zeros(3, 2))], "dimension 0 alone"),
    ):
        with pytest.raises(EnvContractError, match=message):
            env.join_states(values)
