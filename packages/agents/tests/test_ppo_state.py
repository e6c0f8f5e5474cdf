"""State, resuming in the middle of a rollout, and what randomness depends on."""

import copy
import pickle
import random

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import CheckpointMismatch

VARIANTS = {
    "discrete": {},
    "box": {"action_space": spaces.Box(-1.0, 1.0, (2,), np.float32)},
    "everything": {
        "action_space": spaces.MultiDiscrete([2, 3]),
        "state_space": spaces.Box(-1.0, 1.0, (5,), np.float32),
        "learning_rate_scheduler": "kl_adaptive",
        "value_clip": 0.2,
        "observation_normalization": True,
        "entropy_loss_scale": 0.01,
    },
}


@pytest.fixture(params=VARIANTS)
def variant(request):
    return VARIANTS[request.param]


@pytest.mark.parametrize("cut_at", [3, 8, 13, 21])
def test_resumed_from_a_file_equals_uninterrupted(tools, variant, tmp_path, cut_at):
    whole, first, second = (tools.agent(**variant) for _ in range(3))
    tools.run(whole, 32)
    tools.run(first, cut_at)
    first.save(tmp_path / "agent.safetensors")
    second.load(tmp_path / "agent.safetensors")
    tools.assert_equal_states(first.state_dict(), second.state_dict())
    tools.run(second, 32 - cut_at, start=cut_at)
    tools.assert_equal_states(whole.state_dict(), second.state_dict())


@pytest.mark.parametrize("invalid", [False, True])
def test_state_taken_between_acting_and_recording_goes_on_alike(tools, variant, invalid):
    agent = tools.agent(**variant)
    tools.run(agent, 11, invalid=invalid)
    observations = tools.observe(agent.observation_space, 4, 11)
    acted = agent.act(observations, timestep=11, timesteps=100)
    other = tools.agent(**variant)
    other.load_state_dict(agent.state_dict())
    # A loop that starts again asks once more for the actions of the same timestep.
    assert torch.equal(other.act(observations, timestep=11, timesteps=100), acted)
    for each in (agent, other):
        tools.run(each, 21, start=11, invalid=invalid)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


def test_state_is_a_copy(tools):
    agent = tools.agent()
    tools.run(agent, 3)
    before = agent.state_dict()
    kept = copy.deepcopy(before)
    tools.run(agent, 20, start=3)
    tools.assert_equal_states(before, kept)


def test_a_fresh_agent_takes_the_rollout_over_before_it_is_set_up(tools):
    agent = tools.agent()
    tools.run(agent, 11)
    from coterie_agents import PPO

    other = PPO(
        observation_space=agent.observation_space, action_space=agent.action_space, cfg=agent.cfg
    )
    other.load_state_dict(agent.state_dict())
    other.setup(4)
    for each in (agent, other):
        tools.run(each, 9, start=11)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


def test_another_number_of_instances_keeps_what_was_learned(tools):
    agent, other = tools.agent(), tools.agent(num_envs=2)
    tools.run(agent, 11)
    state = agent.state_dict()
    other.load_state_dict(state)
    mine = other.state_dict()
    tools.assert_equal_states(mine["networks"], state["networks"])
    tools.assert_equal_states(mine["optimizer"], state["optimizer"])
    assert mine["rollout"]["memory"]["position"] == 0
    tools.run(other, 8)
    agent.setup(4)
    tools.assert_equal_states(agent.state_dict(), state)
    agent.setup(3)
    tools.assert_equal_states(agent.state_dict()["networks"], state["networks"])
    tools.run(agent, 8)


def test_same_seed_same_bits_and_another_seed_not(tools, variant):
    one, same, other = (tools.agent(**variant, seed=seed) for seed in (5, 5, 6))
    for agent in (one, same, other):
        tools.run(agent, 20)
    tools.assert_equal_states(one.state_dict(), same.state_dict())
    mine, theirs = (a.state_dict()["networks"]["policy"]["weight_0"] for a in (one, other))
    assert not torch.equal(mine, theirs)


def test_process_wide_generators_are_left_alone(tools, variant):
    def streams():
        return torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()

    before = streams()
    agent = tools.agent(**variant)
    tools.run(agent, 20)
    assert streams() == before
    assert agent.uses_global_generators is False
    torch.manual_seed(99)
    other = tools.agent(**variant)
    tools.run(other, 20)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


def test_evaluation_leaves_training_as_it_is(tools):
    agent, other = tools.agent(), tools.agent()
    for each in (agent, other):
        tools.run(each, 11)
    other.enable_training_mode(False)
    observations = tools.observe(other.observation_space, 9, 0)
    drawn = [other.act(observations, timestep=0, timesteps=1) for _ in range(20)]
    assert any(not torch.equal(drawn[0], again) for again in drawn)
    fixed = [other.act(observations, timestep=0, timesteps=1, deterministic=True) for _ in "ab"]
    assert torch.equal(*fixed)
    other.enable_training_mode(True)
    for each in (agent, other):
        tools.run(each, 9, start=11)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))]
)
def test_copies_go_on_alike_and_apart(tools, variant, duplicate):
    agent = tools.agent(**variant)
    tools.run(agent, 11)
    other = duplicate(agent)
    tools.run(agent, 9, start=11)
    tools.run(other, 9, start=11)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


def test_every_difference_is_listed_and_nothing_is_changed(tools):
    agent = tools.agent(model={"hidden_sizes": (8, 6)}, value_normalization=False)
    other = tools.agent(action_space=spaces.Discrete(3))
    before = agent.state_dict()
    with pytest.raises(CheckpointMismatch) as caught:
        agent.load_state_dict(other.state_dict())
    text = str(caught.value)
    assert "networks.policy.weight_1 should be a tensor [8, 6] of torch.float32, is" in text
    assert "networks.policy.weight_2 should be a tensor [6, 2]" in text
    assert "networks.value.bias_1" in text
    assert "scalers.returns should be none, is a table" in text
    tools.assert_equal_states(agent.state_dict(), before)


def test_state_of_something_else_is_refused(tools):
    agent = tools.agent()
    with pytest.raises(CheckpointMismatch, match="networks is missing"):
        agent.load_state_dict({"generator": agent.generator.get_state(), "q": torch.zeros(2)})
