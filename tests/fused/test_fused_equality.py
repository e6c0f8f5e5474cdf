"""Stacked agents against the same agents in turn."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie.testing import SpaceEnv, assert_same_state

MEMBERS = [
    {"learning_rate": 1e-3, "ratio_clip": 0.2, "entropy_loss_scale": 0.01, "value_clip": 0.3},
    {"learning_rate": 3e-3, "ratio_clip": 0.1, "discount_factor": 0.9, "grad_norm_clip": 0.0},
    {"learning_rate": 5e-4, "gae_lambda": 0.8, "value_loss_scale": 1.0, "grad_norm_clip": 0.1},
    {"learning_rate": 2e-3, "discount_factor": 0.5, "gae_lambda": 0.5, "kl_threshold": 0.02},
    {},
]
BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
VARIANTS = {
    "discrete": ({}, {}),
    "box": ({"action_space": BOX}, {}),
    "choices": ({"action_space": spaces.MultiDiscrete([2, 3])}, {}),
    "bits": ({"action_space": spaces.MultiBinary(3)}, {}),
    "states": ({"state": True}, {"observation_normalization": True}),
    "next step": ({"autoreset_mode": AutoresetMode.NEXT_STEP}, {}),
    "disabled": ({"autoreset_mode": AutoresetMode.DISABLED}, {}),
    "adaptive": ({}, {"learning_rate_scheduler": "kl_adaptive"}),
    "linear": ({}, {"learning_rate_scheduler": "linear"}),
    "silu": ({}, {"model": {"hidden_sizes": (5,), "activation": "silu"}}),
}


def both(tools, timesteps, members, env, settings, kind, **arguments):
    """Train the same agents under both trainers; return the states."""
    found = []
    for name in ("sequential", "fused"):
        place = env()
        agents = [
            tools.agent(place, seed, kind, **{**settings, **own})
            for seed, own in enumerate(members)
        ]
        trainer = tools.train(name, place, agents, timesteps, **arguments)
        found.append([agent.state_dict() for agent in agents])
    return *found, trainer


@pytest.mark.parametrize("variant", VARIANTS)
def test_three_updates_in_double_precision(tools, variant):
    env, settings = VARIANTS[variant]
    settings = {"observation_normalization": True, **settings}
    one, other, trainer = both(
        tools, 20, MEMBERS, lambda: tools.env(10, **env), settings, tools.double
    )
    assert [len(names) for names in trainer.placement.stacks] == [5]
    for mine, own in zip(one, other, strict=True):
        assert mine["updates"] == own["updates"] == 3
        tools.assert_close(mine, own, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("population", [2, 3, 5])
@pytest.mark.parametrize("action", ["discrete", "box"])
def test_first_updates_in_single_precision(tools, population, action):
    settings = {"observation_normalization": True}
    env = VARIANTS[action][0]
    one, other, trainer = both(
        tools,
        13,
        MEMBERS[:population],
        lambda: tools.env(4 * population, **env),
        settings,
        type(tools.agent(tools.env(1), 0)),
    )
    assert [len(names) for names in trainer.placement.stacks] == [population]
    for mine, own in zip(one, other, strict=True):
        assert own["updates"] == 2
        tools.assert_close(mine["networks"], own["networks"], rtol=1e-3, atol=1e-5)
        assert torch.equal(mine["generator"], own["generator"])
        tools.assert_close(mine["rollout"]["noise"], own["rollout"]["noise"], rtol=0, atol=0)


def test_one_agent_gives_the_bits_of_sequential(tools):
    kind = type(tools.agent(tools.env(1), 0))
    one, other, trainer = both(tools, 40, [{}], lambda: tools.env(3), {}, kind)
    assert_same_state(one[0], other[0])
    assert trainer.placement.stacks == ()
    assert trainer.placement.alone == {"ppo-0": "there is no other agent that can be stacked"}


def test_agents_of_different_kinds_and_scopes(tools):
    """Stacks whose rows lie apart, and single agents between them."""
    wide = {"model": {"hidden_sizes": (7,)}}
    members = [{}, wide, {}, wide, {"mini_batches": 3}, {}]
    scopes = [2, 3, 2, 3, 2, 4]
    settings = {"observation_normalization": True}
    one, other, trainer = both(
        tools,
        20,
        members,
        lambda: tools.env(16, action_space=BOX, state=True),
        settings,
        tools.double,
        scopes=scopes,
    )
    for mine, own in zip(one, other, strict=True):
        tools.assert_close(mine, own, rtol=1e-10, atol=1e-10)
    for alone in (4, 5):
        assert_same_state(one[alone], other[alone])
    names = [f"ppo-{i}" for i in range(6)]
    assert trainer.placement.stacks == ((names[0], names[2]), (names[1], names[3]))
    assert trainer.placement.alone == {
        names[4]: f"differs from {names[0]} in setting mini_batches",
        names[5]: f"differs from {names[0]} in number of instances",
    }
    assert "on its own: ppo-4: differs" in str(trainer.placement)


def test_nested_observations_and_actions_of_several_choices(tools):
    observation_space = spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (3, 3, 1), np.uint8),
            "pair": spaces.Tuple((spaces.Discrete(3, start=1), spaces.MultiBinary(2))),
        }
    )
    one, other, trainer = both(
        tools,
        20,
        MEMBERS[:3],
        lambda: SpaceEnv(
            7, observation_space, action_space=spaces.MultiDiscrete([2, 3]), state=True
        ),
        {},
        tools.double,
        scopes=[2, 2, 3],
    )
    assert trainer.placement.stacks == (("ppo-0", "ppo-1"),)
    for mine, own in zip(one, other, strict=True):
        tools.assert_close(mine, own, rtol=1e-10, atol=1e-10)


def test_evaluation_draws_the_same_actions_and_changes_nothing(tools):
    def evaluate(name, stochastic):
        env = tools.env(6, action_space=BOX)
        agents = [
            tools.agent(env, seed, tools.double, **own) for seed, own in enumerate(MEMBERS[:3])
        ]
        cfg = {"timesteps": 9, "disable_progressbar": True, "headless": True}
        cfg["stochastic_evaluation"] = stochastic
        with tools.trainers[name](env=env, agents=agents, cfg=cfg) as trainer:
            trainer.train()
            before = [agent.state_dict() for agent in agents]
            returns = [member.mean_return for member in trainer.eval().members]
            for agent, state in zip(agents, before, strict=True):
                assert_same_state(agent.state_dict(), state)
            trainer.train()
        return returns, [agent.state_dict() for agent in agents]

    for stochastic in (True, False):
        (expected, one), (found, other) = (
            evaluate(name, stochastic) for name in ("sequential", "fused")
        )
        assert found == pytest.approx(expected, rel=1e-9)
        for mine, own in zip(one, other, strict=True):
            tools.assert_close(mine, own, rtol=1e-10, atol=1e-10)


def test_interrupted_by_evaluation_and_runs_is_the_same(tools):
    """Runs that end in the middle of a rollout go on where they stopped."""

    def train(runs, timesteps):
        env = tools.env(6)
        agents = [tools.agent(env, seed, **own) for seed, own in enumerate(MEMBERS[:3])]
        tools.train("fused", env, agents, timesteps, runs=runs)
        return [agent.state_dict() for agent in agents]

    for mine, own in zip(train(1, 28), train(4, 7), strict=True):
        assert_same_state(mine, own)
