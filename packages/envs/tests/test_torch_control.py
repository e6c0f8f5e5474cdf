"""Acrobot and the mountain cars against gymnasium's, from the same states."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from coterie import ConfigError
from coterie_envs import Acrobot, MountainCar, MountainCarContinuous

INSTANCES, STEPS = 12, 250


def put(single: Any, column: torch.Tensor) -> None:
    """Bring gymnasium's environment into a state."""
    single.unwrapped.state = column.numpy().copy()


def stepped(env: Any, name: str, actions: torch.Tensor, **settings: Any) -> list[Any]:
    """Each step of each instance beside gymnasium's step from the same state."""
    single = gymnasium.make(name, **settings).unwrapped
    single.reset(seed=0)
    found = []
    env.reset()
    for action in actions:
        before = env.simulation.state
        outcome = env.step(action)
        for row in range(env.num_envs):
            put(single, before[:, row])
            taken = int(action[row]) if action.ndim == 1 else action[row].numpy()
            expected = single.step(taken)
            ours = [part[row] for part in outcome[:4]]
            found.append((outcome[4]["final_obs"][row].numpy(), *ours[1:], expected))
    return found


def pushes(low: float, spread: float) -> torch.Tensor:
    """Random pushes, kept for some steps each, so that cars get everywhere."""
    generator = torch.Generator().manual_seed(0)
    drawn = low + spread * torch.randn(STEPS // 25 + 1, INSTANCES, 1, generator=generator)
    return drawn.repeat_interleave(25, 0)[:STEPS]


def test_acrobot_over_thousands_of_steps():
    generator = torch.Generator().manual_seed(0)
    actions = torch.randint(3, (STEPS // 5, INSTANCES), generator=generator).repeat_interleave(5, 0)
    for observed, reward, terminated, truncated, expected in stepped(
        Acrobot(INSTANCES, seed=1), "Acrobot-v1", actions
    ):
        np.testing.assert_allclose(observed, expected[0], rtol=0, atol=2e-6)
        assert (reward, terminated, truncated) == expected[1:4]


def test_acrobot_at_full_speed_and_at_the_goal():
    """States from all over the space: velocities are bounded and angles wrapped, episodes end."""
    count = 3000
    env = Acrobot(count, seed=0)
    env.reset()
    generator = torch.Generator().manual_seed(3)
    limits = torch.tensor([math.pi, math.pi, 4 * math.pi, 9 * math.pi], dtype=torch.float64)
    drawn = torch.rand(4, count, generator=generator, dtype=torch.float64) * 2 - 1
    state = drawn * limits[:, None]
    env.load_state_dict(env.state_dict() | {"state": state})
    actions = torch.randint(3, (count,), generator=generator)
    after = env.dynamics(state, actions)
    assert (after[:2].abs() <= math.pi).all()
    assert (after[2].abs() == 4 * math.pi).any()
    assert (after[3].abs() == 9 * math.pi).any()
    ended = env.terminal(after)
    assert 500 < int(ended.sum()) < 2500
    single = gymnasium.make("Acrobot-v1").unwrapped
    single.reset(seed=0)
    for row in range(0, count, 6):
        put(single, state[:, row])
        _, reward, terminated, _, _ = single.step(int(actions[row]))
        assert (env.reward(state, actions, after, ended)[row], ended[row]) == (reward, terminated)
        np.testing.assert_allclose(after[:, row], single.state, rtol=0, atol=1e-9)


@pytest.mark.parametrize("goal_velocity", [0, 0.02])
def test_mountain_car_over_thousands_of_steps(goal_velocity):
    """Driven by the sign of the velocity, so that cars reach either end."""
    env = MountainCar(INSTANCES, seed=1, goal_velocity=goal_velocity, max_episode_steps=-1)
    single = gymnasium.make("MountainCar-v0", goal_velocity=goal_velocity).unwrapped
    single.reset(seed=0)
    observations, _ = env.reset()
    reached = leftmost = 0
    for step in range(STEPS):
        actions = torch.where(observations[:, 1] < 0, 0, 2)
        actions[step % 3 :: 3] = 1
        before = env.simulation.state
        observations, rewards, terminated, _, infos = env.step(actions)
        for row in range(INSTANCES):
            put(single, before[:, row])
            expected = single.step(int(actions[row]))
            np.testing.assert_allclose(infos["final_obs"][row], expected[0], rtol=0, atol=1e-7)
            assert (rewards[row], terminated[row]) == expected[1:3]
        reached += int(terminated.sum())
        leftmost += int((infos["final_obs"][:, 0] == np.float32(-1.2)).sum())
    assert reached > 10
    assert leftmost > 0


def test_continuous_mountain_car_is_equal_to_the_last_bit():
    """States, not only observations; a step after a clipped push is rounded otherwise there."""
    found = stepped(
        MountainCarContinuous(INSTANCES, seed=2, max_episode_steps=-1),
        "MountainCarContinuous-v0",
        pushes(0.3, 1.2),
    )
    assert len(found) == INSTANCES * STEPS
    for observed, reward, terminated, _, expected in found:
        np.testing.assert_array_equal(observed, expected[0])
        np.testing.assert_allclose(reward, expected[1], rtol=1e-6)
        assert terminated == expected[2]
    assert sum(int(one[2]) for one in found) > 5
    assert any(one[0][0] == np.float32(-1.2) for one in found)


@pytest.mark.parametrize(
    ("kind", "name", "steps"),
    [
        (Acrobot, "Acrobot-v1", 500),
        (MountainCar, "MountainCar-v0", 200),
        (MountainCarContinuous, "MountainCarContinuous-v0", 999),
    ],
)
def test_spaces_and_limits_are_gymnasiums(kind, name, steps):
    single, env = gymnasium.make(name), kind(1)
    assert env.observation_space == single.observation_space
    assert env.action_space == single.action_space
    assert env.max_episode_steps == single.spec.max_episode_steps == steps


def test_initial_states():
    state = Acrobot(20_000).draw(torch.arange(20_000))
    assert 0.0999 < state.abs().max() <= 0.1000001
    assert torch.equal(state, state.float().double())
    for kind in (MountainCar, MountainCarContinuous):
        position, velocity = kind(20_000).draw(torch.arange(20_000))
        assert -0.6 <= position.min() < -0.5999
        assert -0.4001 < position.max() <= -0.4
        assert not velocity.any()


def test_a_wrong_goal_velocity():
    with pytest.raises(ConfigError, match="goal_velocity = 'fast': expected a finite number"):
        MountainCar(1, goal_velocity="fast")
