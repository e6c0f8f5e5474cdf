"""A member that fails in a stack, and code that all of a stack share."""

import math

import pytest
import torch

from coterie import WorkerRaised
from coterie.testing import CountingEnv, assert_same_state
from coterie_agents import PPO, PPOLearner


class BadRewardEnv(CountingEnv):
    """Gives one instance an infinite reward from some step on."""

    bad_row = 3
    at = 8

    def step(self, actions):
        self.count = getattr(self, "count", 0) + 1
        observations, rewards, *rest = super().step(actions)
        if self.count == self.at:
            rewards[self.bad_row] = math.inf
        return observations, rewards, *rest


def make(tools, env=None, **settings):
    env = env or BadRewardEnv(6)
    return env, [
        tools.agent(env, seed, observation_normalization=True, **settings) for seed in range(3)
    ]


CFG = {"non_finite": "ignore"}


def test_a_member_with_a_loss_that_is_not_finite_is_named(tools):
    env, agents = make(tools)
    with pytest.raises(WorkerRaised, match=r"agent 1 \('ppo-1'\) raised NonFiniteLoss") as caught:
        tools.train("fused", env, agents, 24, **CFG)
    failure = caught.value
    assert (failure.agent_index, failure.phase, failure.timestep) == (1, "post_interaction", 11)
    assert "loss/policy is nan" in str(failure)
    assert "in update 2" in str(failure)
    assert all(agent.state_dict()["updates"] == 2 for agent in (agents[0], agents[2]))


def test_the_others_train_on_to_the_same_bits(tools):
    env, agents = make(tools)
    trainer = tools.train("fused", env, agents, 24, on_member_failure="continue", **CFG)
    assert [member.status for member in trainer.members] == ["active", "failed", "active"]
    well, healthy = make(tools, CountingEnv(6))
    tools.train("fused", well, healthy, 24)
    for index in (0, 2):
        assert_same_state(agents[index].state_dict(), healthy[index].state_dict())


def test_the_frozen_one_keeps_what_it_had_before(tools):
    env, agents = make(tools)
    tools.train("fused", env, agents, 24, on_member_failure="continue", **CFG)
    well, earlier = make(tools, CountingEnv(6))
    tools.train("fused", well, earlier, 11)
    mine, before = agents[1].state_dict(), earlier[1].state_dict()
    for part in ("networks", "optimizer", "scalers", "settings"):
        assert_same_state(mine[part], before[part])
    again, fresh = make(tools, CountingEnv(6))
    fresh[1] = agents[1]
    tools.train("fused", again, fresh, 12)
    assert agents[1].state_dict()["optimizer"]["steps"] > mine["optimizer"]["steps"]


def test_it_acts_at_random_as_under_sequential(tools):
    found = []
    for name in ("sequential", "fused"):
        seen = []

        class Watched(BadRewardEnv):
            def step(self, actions, seen=seen):
                seen.append(actions[2:4].clone())
                return super().step(actions)

        env, agents = make(tools, Watched(6))
        tools.train(name, env, agents, 24, on_member_failure="continue", **CFG)
        found.append(torch.stack(seen))
    assert torch.equal(found[0][12:], found[1][12:])


class ClumsyLearner(PPOLearner):
    """Fails where all members are."""

    def update(self, *, timestep, timesteps):
        if self.population > 1 and timestep > 6:
            raise RuntimeError("out of ideas")
        return super().update(timestep=timestep, timesteps=timesteps)


class Clumsy(PPO):
    learner_class = ClumsyLearner


def clumsy(tools, env):
    agents = [tools.agent(env, seed, Clumsy) for seed in range(2)]
    return [*agents, tools.agent(env, 2)]


def test_an_exception_in_shared_code_is_an_error_of_the_whole_stack(tools):
    env = tools.env(6)
    agents = clumsy(tools, env)
    with pytest.raises(WorkerRaised, match="out of ideas") as caught:
        tools.train("fused", env, agents, 24)
    assert caught.value.phase == "post_interaction"
    assert "ppo-0, ppo-1" in "".join(caught.value.__notes__)
    assert (
        "ClumsyLearner" in caught.value.remote_traceback
        or "update" in caught.value.remote_traceback
    )
    assert [agent.state_dict()["updates"] for agent in agents] == [1, 1, 2]


def test_who_is_not_in_the_stack_trains_on(tools):
    env = tools.env(6)
    agents = clumsy(tools, env)
    trainer = tools.train("fused", env, agents, 24, on_member_failure="continue")
    assert [member.status for member in trainer.members] == ["failed", "failed", "active"]
    well = tools.env(6)
    others = clumsy(tools, well)
    tools.train("sequential", well, others, 24)
    assert_same_state(agents[2].state_dict(), others[2].state_dict())


def test_when_all_have_failed_the_run_ends(tools):
    env = tools.env(4)
    agents = [tools.agent(env, seed, Clumsy) for seed in range(2)]
    with pytest.raises(WorkerRaised) as caught:
        tools.train("fused", env, agents, 24, on_member_failure="continue")
    assert "every member has failed" in caught.value.__notes__
