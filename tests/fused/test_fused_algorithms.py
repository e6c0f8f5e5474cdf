"""Every algorithm of the agents' package can be stacked."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

import coterie
from coterie.testing import CountingEnv, assert_same_state

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
SMALL = {
    "memory_size": 200,
    "batch_size": 8,
    "learning_starts": 4,
    "observation_normalization": True,
}
CONTINUOUS = {
    **SMALL,
    "random_timesteps": 2,
    "model": {"hidden_sizes": (6, 6)},
}
ON_POLICY = {"rollouts": 2, "observation_normalization": True, "model": {"hidden_sizes": (6,)}}
MEMBERS = {
    "a2c": (ON_POLICY, ("learning_rate", 1e-3), None),
    "rpo": (
        {**ON_POLICY, "learning_epochs": 2, "mini_batches": 2},
        ("learning_rate", 1e-3),
        BOX,
    ),
    "ppo_rnn": (
        {
            **ON_POLICY,
            "rollouts": 4,
            "sequence_length": 2,
            "learning_epochs": 1,
            "mini_batches": 2,
            "model": {"cell": "lstm", "hidden_size": 4, "sizes_before": (5,)},
        },
        ("learning_rate", 1e-3),
        None,
    ),
    "sac_rnn": (
        {
            **CONTINUOUS,
            "batch_size": 3,
            "sequence_length": 2,
            "burn_in": 1,
            "learning_starts": 6,
            "model": {"hidden_size": 4, "sizes_before": (5,), "sizes_after": (6,)},
        },
        ("critic_learning_rate", 1e-3),
        BOX,
    ),
    "dqn": ({**SMALL, "model": {"hidden_sizes": (6,)}}, ("learning_rate", 1e-3), None),
    "ddpg": (CONTINUOUS, ("critic_learning_rate", 1e-3), BOX),
    "td3": (CONTINUOUS, ("critic_learning_rate", 1e-3), BOX),
    "sac": (CONTINUOUS, ("critic_learning_rate", 1e-3), BOX),
}


def population(kind, env, precise):
    settings, (name, first), _ = MEMBERS[kind]
    made = type(coterie.make_agent(kind, env=env, cfg=settings))
    if precise:
        made = type("Precise", (made,), {"dtype": torch.float64})
    return [
        made(
            observation_space=env.observation_space,
            action_space=env.action_space,
            seed=seed,
            cfg={**settings, name: first * (1 + seed), "discount_factor": 0.9 + 0.03 * seed},
        )
        for seed in range(3)
    ]


def train(tools, trainer, kind, timesteps, precise=True, runs=1, env=CountingEnv):
    space = MEMBERS[kind][2]
    place = env(6) if space is None else env(6, action_space=space)
    agents = population(kind, place, precise)
    made = tools.train(trainer, place, agents, timesteps, runs=runs)
    return agents, made


@pytest.mark.parametrize("kind", MEMBERS)
def test_learners_that_sample_are_stacked(tools, kind):
    alone, _ = train(tools, "sequential", kind, 16)
    together, made = train(tools, "fused", kind, 16)
    assert [len(names) for names in made.placement.stacks] == [3]
    for mine, own in zip(alone, together, strict=True):
        state = mine.state_dict()
        assert state["updates"] > (5 if kind != "ppo_rnn" else 3)
        tools.assert_close(state, own.state_dict(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", MEMBERS)
def test_their_runs_go_on_where_they_stopped(tools, kind):
    once, _ = train(tools, "fused", kind, 15, precise=False)
    often, _ = train(tools, "fused", kind, 5, precise=False, runs=3)
    for mine, own in zip(once, often, strict=True):
        assert_same_state(mine.state_dict(), own.state_dict())


class BadRewardEnv(CountingEnv):
    """Gives one instance of the second member an infinite reward."""

    def step(self, actions):
        self.count = getattr(self, "count", 0) + 1
        observations, rewards, *rest = super().step(actions)
        if self.count == 6:
            rewards[2] = float("inf")
        return observations, rewards, *rest


@pytest.mark.parametrize("kind", MEMBERS)
def test_one_that_fails_does_not_disturb_the_others(tools, kind):
    space = MEMBERS[kind][2]
    found = []
    for env in (CountingEnv, BadRewardEnv):
        place = env(6) if space is None else env(6, action_space=space)
        agents = population(kind, place, False)
        cfg = {"non_finite": "ignore", "on_member_failure": "continue"}
        made = tools.train("fused", place, agents, 40, **cfg)
        found.append([agent.state_dict() for agent in agents])
    assert [member.status for member in made.members] == ["active", "failed", "active"]
    for index in (0, 2):
        assert_same_state(found[0][index], found[1][index])
