from __future__ import annotations

import inspect
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from coterie import ConfigError
from coterie._spaces import leaf_of, sample_actions, space_leaves
from coterie_envs import GymnasiumAdapter, GymnasiumEnv

SPACES = {
    "box": spaces.Box(-1, 1, (3,), np.float32),
    "box64": spaces.Box(-np.inf, np.inf, (2, 2), np.float64),
    "image": spaces.Box(0, 255, (4, 4, 3), np.uint8),
    "scalar": spaces.Box(-1, 1, (), np.float32),
    "discrete": spaces.Discrete(5),
    "shifted": spaces.Discrete(3, start=-7),
    "multidiscrete": spaces.MultiDiscrete([2, 5]),
    "multidiscrete2d": spaces.MultiDiscrete([[2, 3], [4, 5]], dtype=np.int32),
    "multibinary": spaces.MultiBinary(4),
    "dict": spaces.Dict({"b": spaces.Box(-1, 1, (2,)), "a": spaces.Discrete(4)}),
    "tuple": spaces.Tuple((spaces.Box(-1, 1, (2,)), spaces.MultiBinary(2))),
    "nested": spaces.Dict(
        {
            "inner": spaces.Tuple((spaces.Discrete(3), spaces.Dict({"x": spaces.Box(0, 1, (1,))}))),
            "y": spaces.MultiDiscrete([3, 3]),
        }
    ),
}


if "dtype" in inspect.signature(spaces.Discrete).parameters:  # since gymnasium 1.2
    SPACES["small"] = spaces.Discrete(3, dtype=np.int32)


class Echo(gymnasium.Env[Any, Any]):
    """Observes samples of its space, and remembers them and its actions; 2 steps an episode."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.observation_space = self.action_space = space
        self.seen: list[Any] = []
        self.done: list[Any] = []

    def _draw(self) -> Any:
        self.seen.append(self.observation_space.sample())
        return self.seen[-1]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self._draw(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.done.append(action)
        return self._draw(), 0.0, len(self.done) % 2 == 0, False, {}


def equal_rows(space: spaces.Space[Any], tree: Any, row: int, value: Any) -> bool:
    return all(
        np.array_equal(leaf_of(tree, leaf.path)[row].numpy(), leaf_of(value, leaf.path))
        for leaf in space_leaves(space)
    )


def check_kinds(space: spaces.Space[Any], tree: Any) -> None:
    for leaf in space_leaves(space):
        tensor = leaf_of(tree, leaf.path)
        assert tensor.shape == (3, *leaf.shape)
        assert tensor.dtype == leaf.dtype
        assert tensor.is_contiguous()


@pytest.mark.filterwarnings("ignore:.*Casting input x to numpy array")
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_values_go_through_unchanged(name, mode):
    space = SPACES[name]
    copies = [Echo(space) for _ in range(3)]
    env = GymnasiumEnv(
        SyncVectorEnv([lambda one=one: one for one in copies], autoreset_mode=mode), name="echo"
    )
    observations, _ = env.reset(seed=[1, 2, 3])
    generator = torch.Generator().manual_seed(0)
    check_kinds(space, observations)
    for _ in range(2):
        actions = sample_actions(space, 3, generator)
        observations, *_, infos = env.step(actions)
        check_kinds(space, observations)
        for row, one in enumerate(copies):
            assert equal_rows(space, observations, row, one.seen[-1])
            assert equal_rows(space, actions, row, one.done[-1])
    if mode is AutoresetMode.SAME_STEP:
        check_kinds(space, infos["final_obs"])
        assert isinstance(infos["final_obs"], type(observations))
        for row, one in enumerate(copies):
            assert equal_rows(space, infos["final_obs"], row, one.seen[-2])


@pytest.mark.parametrize(
    "space",
    [spaces.Text(3), spaces.Dict({"a": spaces.Sequence(spaces.Discrete(2))})],
)
def test_spaces_without_fixed_tensors_are_refused(space):
    with pytest.raises(ConfigError, match="no tensors of fixed shape"):
        GymnasiumAdapter().wrap(Echo(space))


def test_actions_are_copies():
    class Rude(Echo):
        def step(self, action):
            action *= 0
            return super().step(action)

    env = GymnasiumAdapter().wrap(Rude(SPACES["box"]))
    env.reset()
    actions = torch.full((1, 3), 0.5)
    env.step(actions)
    assert actions.tolist() == [[0.5, 0.5, 0.5]]


def test_actions_that_need_a_gradient_are_taken():
    env = GymnasiumAdapter().wrap(Echo(SPACES["box"]))
    env.reset()
    env.step(torch.full((1, 3), 0.5, requires_grad=True))


class Batch(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """A vectorised environment that hands out what it is given; final_obs is a batch."""

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, observations: np.ndarray) -> None:
        self.num_envs = len(observations)
        self.single_observation_space = spaces.Box(-9, 9, observations.shape[1:], np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.action_space = spaces.MultiDiscrete([2] * self.num_envs)
        self.observations = observations

    def reset(self, *, seed=None, options=None):
        return self.observations, {}

    def step(self, actions):
        ended = np.ones(self.num_envs, bool)
        rewards = np.arange(self.num_envs)
        return self.observations, rewards, ended, ~ended, {"final_obs": self.observations + 1}


def test_odd_memory_is_made_plain():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    frozen = values.copy()
    frozen.setflags(write=False)
    for odd in (np.asfortranarray(values), frozen, values[::-1]):
        env = GymnasiumAdapter().wrap(Batch(odd))
        observations, _ = env.reset()
        assert observations.is_contiguous()
        assert observations.tolist() == odd.tolist()
        observations[:] = 0
        _, rewards, terminated, _, infos = env.step(torch.zeros(2, dtype=torch.int64))
        assert rewards.dtype == torch.float32
        assert terminated.all()
        assert infos["final_obs"].tolist() == (odd + 1).tolist()


def test_who_reuses_buffers():
    adapter = GymnasiumAdapter()
    assert adapter.make("CartPole-v1").reuses_buffers is False
    assert adapter.make("CartPole-v1", vectorization="sync").reuses_buffers is False
    careless = adapter.make("CartPole-v1", vectorization="sync", vector_kwargs={"copy": False})
    assert careless.reuses_buffers is True
    assert adapter.wrap(Batch(np.zeros((2, 3), np.float32))).reuses_buffers is True


@pytest.mark.parametrize("vectorization", ["sync", "vector_entry_point"])
def test_what_is_said_to_be_fresh_is_fresh(vectorization):
    env = GymnasiumAdapter().make("CartPole-v1", num_envs=3, vectorization=vectorization)
    tensors = [env.reset(seed=0)[0]]
    for _ in range(30):
        observations, rewards, terminated, truncated, _ = env.step(torch.ones(3, dtype=torch.int64))
        tensors += [observations, rewards, terminated, truncated]
    places = [tensor.data_ptr() for tensor in tensors]
    assert len(set(places)) == len(places)
