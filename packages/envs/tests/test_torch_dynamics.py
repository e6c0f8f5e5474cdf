"""The torch-native environments against gymnasium's, from the same states."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from coterie_envs import CartPole, Pendulum


def twins(env: Any, name: str, **settings: Any) -> list[Any]:
    """gymnasium's environments, one per instance, in the states that ``env`` is in."""
    env.reset()
    found = []
    for state in env.state_dict()["state"].t().numpy():
        single = gymnasium.make(name, **settings)
        single.reset(seed=0)
        single.unwrapped.state = state.copy()
        found.append(single)
    return found


def balance(observation: np.ndarray) -> int:
    """Keeps the pole up for good: a linear feedback."""
    return int(observation @ np.array([0.1, 0.3, 4.0, 1.0]) > 0)


def test_cartpole_over_whole_episodes():
    """500 steps of feedback control, up to the time limit, in every instance."""
    env = CartPole(6, seed=3)
    singles = twins(env, "CartPole-v1")
    observations = env.observe(env.state_dict()["state"]).numpy()
    for step in range(1, 501):
        actions = np.array([balance(one) for one in observations])
        tensors = env.step(torch.from_numpy(actions))
        ended = tensors[4]["final_obs"].numpy()
        for row, single in enumerate(singles):
            expected = single.step(actions[row])
            np.testing.assert_allclose(ended[row], expected[0], rtol=0, atol=1e-6)
            assert (tensors[1][row], tensors[2][row], tensors[3][row]) == expected[1:4]
        assert bool(tensors[3].all()) is (step == 500)
        observations = ended
    assert not torch.equal(tensors[0], tensors[4]["final_obs"])


@pytest.mark.parametrize("sutton", [False, True])
def test_cartpole_until_the_pole_falls(sutton):
    env = CartPole(40, seed=5, sutton_barto_reward=sutton)
    singles = twins(env, "CartPole-v1", sutton_barto_reward=sutton)
    running = set(range(40))
    generator = torch.Generator().manual_seed(0)
    for _ in range(120):
        actions = torch.randint(2, (40,), generator=generator)
        _, rewards, terminated, _, infos = env.step(actions)
        for row in sorted(running):
            expected = singles[row].step(int(actions[row]))
            np.testing.assert_allclose(infos["final_obs"][row], expected[0], rtol=0, atol=1e-6)
            assert (rewards[row], terminated[row]) == expected[1:3]
            if expected[2]:
                running.discard(row)
    assert not running


def test_cartpole_spaces_are_gymnasiums():
    single, env = gymnasium.make("CartPole-v1"), CartPole(1)
    assert env.observation_space == single.observation_space
    assert env.action_space == single.action_space


@pytest.mark.parametrize(("kind", "seen"), [(CartPole, [0, 2]), (Pendulum, [0, 1])])
def test_without_velocities_only_what_is_seen_differs(kind, seen):
    whole, partial = kind(30, seed=4), kind(30, seed=4, velocities=False)
    space = partial.observation_space
    assert np.array_equal(space.high, whole.observation_space.high[seen])
    assert np.array_equal(space.low, whole.observation_space.low[seen])
    assert torch.equal(whole.reset()[0][:, seen], partial.reset()[0])
    ends = 0
    for step in range(60):
        torch.manual_seed(step)
        actions = torch.randint(2, (30,)) if kind is CartPole else torch.rand(30, 1) * 4 - 2
        left, right = whole.step(actions), partial.step(actions)
        assert right[0].shape == (30, 2)
        assert right[0].dtype == torch.float32
        assert torch.equal(left[0][:, seen], right[0])
        assert torch.equal(left[4]["final_obs"][:, seen], right[4]["final_obs"])
        assert all(map(torch.equal, left[1:4], right[1:4]))
        ends += int(right[2].sum())
    assert (ends > 30) is (kind is CartPole)


def test_one_step_of_cartpole_by_hand():
    """From rest and upright the pole's acceleration is -F/M / (l (4/3 - m/M))."""
    env = CartPole(2, seed=0)
    env.reset()
    state = env.state_dict() | {"state": torch.zeros(4, 2, dtype=torch.float64)}
    env.load_state_dict(state)
    observations, *_ = env.step(torch.tensor([1, 0]))
    push = 10 / 1.1
    spin = -push / (0.5 * (4 / 3 - 0.1 / 1.1))
    cart = push - 0.05 * spin / 1.1
    expected = torch.tensor([0, 0.02 * cart, 0, 0.02 * spin])
    torch.testing.assert_close(observations, torch.stack((expected, -expected)))


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        ((2.39, 0, 0, 0), False),
        ((2.41, 0, 0, 0), True),
        ((-2.41, 0, 0, 0), True),
        ((0, 0, math.radians(11.99), 0), False),
        ((0, 0, math.radians(12.01), 0), True),
        ((0, 0, math.radians(-12.01), 0), True),
    ],
)
def test_where_cartpole_ends(state, ends):
    column = torch.tensor(state, dtype=torch.float64)[:, None]
    assert CartPole(1).terminal(column).tolist() == [ends]


def test_initial_states_of_cartpole():
    env = CartPole(20_000, seed=0)
    observations, _ = env.reset()
    assert observations.abs().max() <= 0.05
    assert observations.abs().amax(0).min() > 0.0499
    assert observations.mean(0).abs().max() < 0.001  # the standard error is 0.0002


@pytest.mark.parametrize("gravity", [10.0, 9.81])
def test_pendulum_over_whole_episodes(gravity):
    """200 steps with torques beyond the limits, up to the time limit, in every instance."""
    env = Pendulum(8, seed=2, g=gravity)
    singles = twins(env, "Pendulum-v1", g=gravity)
    generator = torch.Generator().manual_seed(0)
    for step in range(1, 201):
        actions = torch.randn(8, 1, generator=generator) * 3
        _, rewards, terminated, truncated, infos = env.step(actions)
        for row, single in enumerate(singles):
            expected = single.step(actions[row].numpy())
            np.testing.assert_allclose(infos["final_obs"][row], expected[0], rtol=0, atol=2e-6)
            np.testing.assert_allclose(rewards[row], expected[1], rtol=1e-5, atol=1e-6)
            assert truncated[row] == expected[3]
        assert not terminated.any()
        assert bool(truncated.all()) is (step == 200)


def test_pendulum_spaces_are_gymnasiums():
    single, env = gymnasium.make("Pendulum-v1"), Pendulum(1)
    assert env.observation_space == single.observation_space
    assert env.action_space == single.action_space


def test_one_step_of_pendulum_by_hand():
    """Lying flat with the largest torque: 15 from gravity and 6 from the motor, in 0.05 s."""
    env = Pendulum(1, seed=0)
    env.reset()
    flat = torch.tensor([[math.pi / 2], [0.0]], dtype=torch.float64)
    env.load_state_dict(env.state_dict() | {"state": flat})
    observations, rewards, *_ = env.step(torch.tensor([[5.0]]))
    angle = math.pi / 2 + 1.05 * 0.05
    expected = torch.tensor([[math.cos(angle), math.sin(angle), 1.05]])
    torch.testing.assert_close(observations, expected)
    torch.testing.assert_close(rewards, torch.tensor([-(math.pi**2 / 4 + 0.001 * 4)]))


def test_initial_states_of_pendulum():
    env = Pendulum(20_000, seed=0)
    env.reset()
    state = env.state_dict()["state"]
    assert state[0].abs().max() <= math.pi
    assert state[0].abs().max() > 3.14
    assert 0.999 < state[1].abs().max() <= 1
    assert state.mean(1).abs().max() < 0.06  # the angle's standard error is 0.013
