"""Losses that are looked at once per update, as on an accelerator, instead of at each step."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import Transition
from coterie_agents import PPOCfg, PPOLearner

BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
MEMBERS, NUM_ENVS, LENGTH = 3, 4, 6


def make(looks):
    learner = PPOLearner(
        observation_space=BOX,
        action_space=spaces.Discrete(4),
        cfgs=[PPOCfg(rollouts=LENGTH, learning_epochs=2, mini_batches=3)] * MEMBERS,
        generators=[torch.Generator().manual_seed(i) for i in range(MEMBERS)],
        seeds=list(range(MEMBERS)),
    )
    assert learner.looks, "on the CPU each step is looked at"
    learner.looks = looks
    learner.allocate(NUM_ENVS)
    return learner


def rollout(learner, start, bad=None):
    for timestep in range(start, start + LENGTH):
        generator = torch.Generator().manual_seed(timestep)
        rows = MEMBERS * NUM_ENVS
        observations, following = (torch.rand(rows, 3, generator=generator) for _ in range(2))
        rewards = torch.rand(rows, generator=generator)
        if bad is not None:
            rewards[bad * NUM_ENVS] = math.inf
        flags = torch.zeros(rows, dtype=torch.bool)
        learner.record(
            Transition(
                observations=observations,
                actions=learner.act(observations),
                rewards=rewards,
                next_observations=following,
                terminated=flags,
                truncated=flags,
                valid=~flags,
            )
        )
    return learner.update(timestep=start, timesteps=100)


def assert_same(one, other):
    for member in range(MEMBERS):
        mine, own = (learner.networks.state(member) for learner in (one, other))
        for name in ("policy", "value"):
            assert all(torch.equal(mine[name][key], own[name][key]) for key in mine[name])
        first, second = (learner.optimizer.state(member) for learner in (one, other))
        assert first["steps"] == second["steps"]
        assert torch.equal(first["variance"], second["variance"])


def test_looking_later_changes_nothing_while_all_are_well():
    often, late = make(True), make(False)
    for start in (0, LENGTH):
        assert rollout(often, start) == rollout(late, start)
        assert late.take_failures() == {}
        assert late.alive is None
    assert_same(often, late)


@pytest.mark.parametrize("bad", [0, 2])
def test_a_member_that_fails_is_named_and_frozen_all_the_same(bad):
    often, late = make(True), make(False)
    for learner in (often, late):
        rollout(learner, 0)
        learner.take_failures()
        rollout(learner, LENGTH, bad)
    found, wanted = late.take_failures(), often.take_failures()
    assert list(found) == list(wanted) == [bad]
    assert str(found[bad]) == str(wanted[bad])
    assert "in update 2" in str(found[bad])
    assert late.alive.tolist() == [member != bad for member in range(MEMBERS)]
    for learner in (often, late):
        rollout(learner, 2 * LENGTH)
    assert late.take_failures() == {}
    assert_same(often, late)
