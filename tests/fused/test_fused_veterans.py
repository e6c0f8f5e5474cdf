"""Members that learned before, stacked with members that have not: every counter is its own."""

import functools

import numpy as np
import pytest
import torch
from gymnasium import spaces

import coterie
from coterie import Controller
from coterie.testing import CountingEnv, CountingTeamEnv, assert_same_state, differs

TINY = {"hidden_sizes": (6,)}
WIDE = spaces.Box(np.array([-0.3, 1.0], np.float32), np.array([0.4, 7.0], np.float32))
BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
ON_POLICY = {"rollouts": 4, "observation_normalization": True, "model": TINY}
PPO = {**ON_POLICY, "learning_epochs": 2, "mini_batches": 2, "value_normalization": True}
RECURRENT = {
    **PPO,
    "sequence_length": 2,
    "model": {"hidden_size": 4, "sizes_before": (5,)},
}
REPLAY = {
    "memory_size": 24,
    "batch_size": 6,
    "learning_starts": 4,
    "observation_normalization": True,
}
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
        name=f"member-{seed}",
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


SAMPLING = {
    "dqn": (
        "dqn",
        {**REPLAY, "target_update_interval": 3, "exploration_timesteps": 9, "model": TINY},
        None,
    ),
    "dqn-prioritized": (
        "dqn",
        {
            **REPLAY,
            "memory": "prioritized",
            "n_step": 2,
            "gradient_steps": 2,
            "target_update_interval": 3,
            "learning_rate_scheduler": "linear",
            "model": TINY,
        },
        None,
    ),
    "ddpg": ("ddpg", {**CONTINUOUS, "noise": "ornstein_uhlenbeck"}, WIDE),
    "td3": ("td3", {**CONTINUOUS, "policy_delay": 3}, WIDE),
    "sac": ("sac", {**CONTINUOUS, "gradient_steps": 2}, WIDE),
    "sac_rnn": (
        "sac_rnn",
        {
            **REPLAY,
            "batch_size": 3,
            "learning_starts": 6,
            "sequence_length": 2,
            "burn_in": 1,
            "model": {"hidden_size": 4, "sizes_before": (5,), "sizes_after": (6,)},
        },
        WIDE,
    ),
}
"""Off-policy: kind, settings, action space."""


@pytest.mark.parametrize("case", SAMPLING)
def test_heirs_of_a_veteran_keep_to_the_rhythm_of_their_stack(tools, case):
    """One member's steps of Adam and its statistics are far ahead; its memory is as full."""
    kind, settings, space = SAMPLING[case]
    found = []
    for trainer in ("sequential", "fused"):
        env = place(6, space, False)
        veteran, *agents = (member(kind, env, seed, settings) for seed in range(4))
        tools.train("sequential", place(2, space, False), [veteran], 17)
        agents[0].inherit(veteran.learned())
        made = tools.train(trainer, env, agents, 20)
        found.append([agent.state_dict() for agent in agents])
    assert [len(names) for names in made.placement.stacks] == [3]
    for alone, stacked in zip(*found, strict=True):
        tools.assert_close(alone, stacked, rtol=1e-9, atol=1e-9)
    updates = [state["updates"] for state in found[1]]
    assert updates[0] > updates[1] == updates[2] > 10


class Copies(Controller):
    """Lets one member go on as another, once: with all that it is, or what it learned."""

    def __init__(self, learned, at):
        super().__init__()
        self.learned, self.at = learned, at

    def due(self, timestep):
        return timestep == self.at

    def act(self, population):
        donor, heir = population.members[:2]
        states = population.snapshot([donor], learned=self.learned)
        assert population.restore(heir, states[donor.index], {})


@pytest.mark.parametrize("case", SAMPLING)
@pytest.mark.parametrize("learned", [True, False], ids=["learned", "whole"])
def test_copied_from_a_member_that_is_out_of_step(tools, case, learned):
    """The donor, in no stack, has trained before: nobody else's rhythm may change."""
    kind, settings, space = SAMPLING[case]
    found = []
    for trainer in ("sequential", "fused"):
        agents = [member(kind, place(2, space, False), seed, settings) for seed in range(4)]
        tools.train("sequential", place(2, space, False), agents[:1], 7)
        env = place(8, space, False)
        cfg = {"timesteps": 20, "disable_progressbar": True, "headless": True}
        controllers = [Copies(learned, 13)]
        made = tools.trainers[trainer](env=env, agents=agents, cfg=cfg, controllers=controllers)
        with made:
            made.train()
        found.append([agent.state_dict() for agent in agents])
    for alone, stacked in zip(*found, strict=True):
        tools.assert_close(alone, stacked, rtol=1e-9, atol=1e-9)
    assert [state["steps"] for state in found[1]] == [27, 20 if learned else 27, 20, 20]


@pytest.mark.parametrize("case", SAMPLING)
def test_a_state_of_a_stack_mate_disturbs_nobody(tools, case):
    """One member takes another's whole state over: the others go on bit for bit."""
    kind, settings, space = SAMPLING[case]
    found = []
    for at in (11, 99):
        env = place(6, space, False)
        agents = [member(kind, env, seed, settings) for seed in range(3)]
        cfg = {"timesteps": 20, "disable_progressbar": True, "headless": True}
        controllers = [Copies(False, at)]
        trainer = tools.trainers["fused"](env=env, agents=agents, cfg=cfg, controllers=controllers)
        with trainer:
            trainer.train()
        found.append([agent.state_dict() for agent in agents])
        assert [len(names) for names in trainer.placement.stacks] == [3]
    for index in (0, 2):
        assert_same_state(found[0][index], found[1][index])
    assert differs(found[0][1], found[1][1])


STOPPING = {
    "ppo": ("ppo", {}, None),
    "adaptive": ("ppo", {"learning_rate_scheduler": "kl_adaptive"}, None),
    "rpo": ("rpo", {}, BOX),
    "ppo_rnn": ("ppo_rnn", RECURRENT, None),
}


@pytest.mark.parametrize("case", STOPPING)
def test_members_that_stop_an_update_early(tools, case):
    """Who stops at which step is nobody else's business, and no matter to later draws."""
    kind, settings, space = STOPPING[case]
    settings = {**PPO, **settings, "learning_epochs": 5}
    found = []
    for trainer in ("sequential", "fused"):
        env = place(8, space, False)
        agents = [
            member(
                kind, env, seed, {**settings, "learning_rate": 0.02 * seed, "kl_threshold": limit}
            )
            for seed, limit in enumerate([0.0, 1e-3, 0.01, 0.1], start=1)
        ]
        made = tools.train(trainer, env, agents, 18)
        found.append(([agent.state_dict() for agent in agents], [a.metrics() for a in agents]))
    assert [len(names) for names in made.placement.stacks] == [4]
    for alone, stacked in zip(*(states for states, _ in found), strict=True):
        tools.assert_close(alone, stacked, rtol=1e-10, atol=1e-10)
    for alone, stacked in zip(*(scalars for _, scalars in found), strict=True):
        assert stacked == pytest.approx(alone, rel=1e-9, abs=1e-9)
    steps = [state["optimizer"]["steps"] for state in found[1][0]]
    assert steps[0] == 4 * 10, "one that has no limit makes every step"
    assert max(steps[1:]) < 40
    assert len(set(steps)) > 2


def test_random_numbers_do_not_tell_who_stopped_early(tools):
    env = place(2, None, False)
    free, bound = (
        member("ppo", env, 3, {**PPO, "learning_rate": 0.02, "kl_threshold": limit})
        for limit in (0.0, 1e-4)
    )
    for agent in (free, bound):
        tools.train("sequential", place(2, None, False), [agent], 4)
    one, other = free.state_dict(), bound.state_dict()
    assert one["optimizer"]["steps"] > other["optimizer"]["steps"]
    assert torch.equal(one["generator"], other["generator"])


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "left out"])
@pytest.mark.parametrize("case", ["dqn-prioritized", "td3"])
def test_memories_that_are_as_old_but_not_as_full(tools, case, kept):
    """Another number of instances empties a memory, so that the others wait for samples again."""
    kind, settings, space = SAMPLING[case]
    settings = {**settings, "checkpoint_memory": kept}
    found = []
    for trainer in ("sequential", "fused"):
        agents = [member(kind, place(2, space, False), seed, settings) for seed in range(3)]
        for agent, count in zip(agents, (2, 3, 3), strict=True):
            tools.train("sequential", place(count, space, False), [agent], 9)
        made = tools.train(trainer, place(6, space, False), agents, 12)
        found.append([agent.handover() for agent in agents])
    assert [len(names) for names in made.placement.stacks] == [2]
    for alone, stacked in zip(*found, strict=True):
        tools.assert_close(alone, stacked, rtol=1e-9, atol=1e-9)
    assert [state["steps"] for state in found[1]] == [21, 21, 21]
    assert [state["memory"]["writes"] for state in found[1]] == [21, 12, 12]
