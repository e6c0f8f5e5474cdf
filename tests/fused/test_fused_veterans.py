"""Members that learned before, stacked with members that have not: every counter is its own."""

import functools

import numpy as np
import pytest
import torch
from gymnasium import spaces

import coterie
from coterie.testing import CountingEnv, CountingTeamEnv

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
ON_POLICY = {"rollouts": 4, "observation_normalization": True, "model": {"hidden_sizes": (6,)}}
PPO = {**ON_POLICY, "learning_epochs": 2, "mini_batches": 2, "value_normalization": True}
RECURRENT = {
    **PPO,
    "sequence_length": 2,
    "model": {"hidden_size": 4, "sizes_before": (5,)},
}
REPLAY = {"memory_size": 24, "batch_size": 6, "learning_starts": 4}
CONTINUOUS = {**REPLAY, "random_timesteps": 5, "model": {"hidden_sizes": (6, 6)}}
CASES = {
    "ppo": ("ppo", PPO, None, False),
    "ppo-states": ("ppo", PPO, BOX, True),
    "ppo-adaptive": ("ppo", {**PPO, "learning_rate_scheduler": "kl_adaptive"}, None, False),
    "ppo-linear": ("ppo", {**PPO, "learning_rate_scheduler": "linear"}, None, False),
    "rpo": ("rpo", PPO, BOX, False),
    "a2c": ("a2c", {**ON_POLICY, "optimizer": "rmsprop"}, None, False),
    "a2c-adam": ("a2c", {**ON_POLICY, "optimizer": "adam"}, None, False),
    "ppo_rnn": ("ppo_rnn", RECURRENT, None, False),
    "ppo_rnn-states": ("ppo_rnn", RECURRENT, None, True),
}
"""On-policy: kind, settings, action space, whether there are states."""


@functools.cache
def precise(kind):
    """Make the float64 class of an algorithm: one, so that its agents can be stacked."""
    return type("Precise", (kind,), {"dtype": torch.float64})


def member(kind, env, seed, settings):
    made = type(coterie.make_agent(kind, env=env, cfg=settings))
    return precise(made)(
        observation_space=env.observation_space,
        action_space=env.action_space,
        state_space=env.state_space,
        seed=seed,
        cfg=settings,
    )


def place(count, space, state):
    own = {} if space is None else {"action_space": space}
    return CountingEnv(count, state=state, **own)


def together(tools, trainer, kind, settings, make_env, before, timesteps):
    """Train the first of three members alone, then all of them; return their states."""
    agents = [member(kind, make_env(2), seed, settings) for seed in range(3)]
    tools.train("sequential", make_env(2), agents[:1], before)
    made = tools.train(trainer, make_env(6), agents, timesteps)
    return [agent.state_dict() for agent in agents], made


def compare(tools, *arguments):
    alone, _ = together(tools, "sequential", *arguments)
    stacked, trainer = together(tools, "fused", *arguments)
    for mine, own in zip(alone, stacked, strict=True):
        tools.assert_close(mine, own, rtol=1e-10, atol=1e-10)
    return alone, trainer


@pytest.mark.parametrize("case", CASES)
def test_a_trained_member_beside_fresh_ones(tools, case):
    """The first has statistics, optimiser steps and learning rates that the others lack."""
    kind, settings, space, state = CASES[case]
    states, trainer = compare(
        tools, kind, settings, lambda count: place(count, space, state), 12, 10
    )
    assert [len(names) for names in trainer.placement.stacks] == [3]
    assert [state["updates"] for state in states] == [5, 2, 2]


@pytest.mark.parametrize("kind", ["ippo", "mappo"])
@pytest.mark.parametrize("sharing", ["auto", "separate"])
def test_a_trained_team_beside_fresh_ones(tools, kind, sharing):
    settings = {**PPO, "sharing": sharing}
    states, trainer = compare(
        tools, kind, settings, lambda count: CountingTeamEnv(count, alike=True), 12, 10
    )
    assert [len(names) for names in trainer.placement.stacks] == [3]
    assert [state["updates"] for state in states] == [5, 2, 2]
