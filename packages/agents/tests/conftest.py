"""A tiny task that is a function of the timestep, and a loop that drives agents on it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import Transition
from coterie._spaces import sample_actions
from coterie._trees import tree_map

OBSERVATIONS = spaces.Box(-2.0, 2.0, (3,), np.float32)
BINARY = spaces.Discrete(2)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def observe(space, num_envs, timestep):
    """The observations of a timestep: always the same."""
    generator = torch.Generator().manual_seed(1000 + timestep)
    return sample_actions(space, num_envs, generator)


def first_number(tree):
    while not isinstance(tree, torch.Tensor):
        tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
    return tree.reshape(tree.shape[0], -1)[:, 0].float()


def reward(observations, actions):
    """1 for the action that agrees with the sign of the first number of the observation."""
    return ((first_number(observations) > 0).float() == first_number(actions)).float()


def make_transition(agent, observations, actions, timestep, states, **changes):
    space, num_envs = agent.observation_space, agent.num_envs
    instances = torch.arange(num_envs)
    values = {
        "observations": observations,
        "actions": actions,
        "rewards": reward(observations, actions),
        "next_observations": observe(space, num_envs, timestep + 1),
        "terminated": (instances + timestep) % 7 == 0,
        "truncated": (instances + timestep) % 5 == 0,
        "valid": torch.ones(num_envs, dtype=torch.bool),
        "states": states,
        "next_states": None
        if agent.state_space is None
        else observe(agent.state_space, num_envs, timestep + 1),
    }
    return Transition(**{**values, **changes})


def run(agent, steps, *, start=0, total=1000, mean_over=None, invalid=False):
    """Drive an agent for some timesteps; return the mean reward of the last ones."""
    rewards = []
    for timestep in range(start, start + steps):
        at = {"timestep": timestep, "timesteps": total}
        observations = observe(agent.observation_space, agent.num_envs, timestep)
        states = None
        if agent.state_space is not None:
            states = observe(agent.state_space, agent.num_envs, timestep)
        agent.pre_interaction(**at)
        actions = agent.act(observations, states=states, **at)
        changes = {}
        if invalid:
            instances = torch.arange(agent.num_envs)
            changes = {"valid": (instances + timestep) % 6 != 0, "all_valid": False}
        transition = make_transition(agent, observations, actions, timestep, states, **changes)
        agent.record_transition(transition, **at)
        agent.post_interaction(**at)
        rewards.append(float(transition.rewards.mean()))
    return float(np.mean(rewards[-(mean_over or steps) :]))


def assert_equal_states(one, other, path=""):
    """Two states hold the same bits."""
    assert type(one) is type(other) or isinstance(one, list | tuple), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_equal_states(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, path
        assert torch.equal(one, other), path
    else:
        assert one == other, path


def copy_state(state):
    return tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, state)


class Tools:
    """What the tests share, as one fixture (test folders are no packages)."""

    observations = OBSERVATIONS
    binary = BINARY
    observe = staticmethod(observe)
    run = staticmethod(run)
    make_transition = staticmethod(make_transition)
    assert_equal_states = staticmethod(assert_equal_states)

    @staticmethod
    def agent(*, num_envs=4, seed=0, **settings):
        from coterie_agents import PPO

        spaces_given = {
            key: settings.pop(key)
            for key in ("observation_space", "action_space", "state_space", "models", "name")
            if key in settings
        }
        defaults = {"rollouts": 8, "learning_epochs": 2, "mini_batches": 2}
        model = {"hidden_sizes": (8, 8), **settings.pop("model", {})}
        agent = PPO(
            **{"observation_space": OBSERVATIONS, "action_space": BINARY, **spaces_given},
            seed=seed,
            cfg={**defaults, **settings, "model": model},
        )
        agent.setup(num_envs)
        return agent


@pytest.fixture
def tools():
    return Tools
