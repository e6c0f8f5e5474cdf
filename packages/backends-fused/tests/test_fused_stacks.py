"""The executor with a stack that needs no algorithm: agents that only keep sums."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from attrs import evolve, frozen
from gymnasium import spaces

from coterie import (
    AgentCfg,
    ConfigError,
    SequentialTrainer,
    Stack,
    StackKey,
    TrainerStateError,
    WorkerRaised,
)
from coterie.spaces import tree_cat
from coterie.testing import CountingEnv, SpaceEnv, SumAgent, assert_same_state
from coterie_backends_fused import FusedExecutor, FusedTrainer, FusedTrainerCfg, Placement


@frozen(kw_only=True)
class PairCfg(AgentCfg):
    scale: float = 1.0
    group: str = "a"
    fail: str = ""


class PairAgent(SumAgent):
    """A sum agent that can be stacked, by doing everything in turn."""

    kind = "pair"
    config_class = PairCfg

    def stack_key(self):
        if self.cfg.group == "nobody":
            return StackKey(obstacle="it does not want to")
        return StackKey(parts={"class": type(self), "group": self.cfg.group})

    def stack(self, agents):
        if self.cfg.fail == "stack":
            raise RuntimeError("out of ideas")
        return PairStack(agents)


class PairStack(Stack):
    def __init__(self, agents):
        self.agents = tuple(agents)
        self.calls = 0

    @property
    def population(self):
        return len(self.agents)

    def cut(self, tree, position):
        size = self.agents[0].num_envs
        if isinstance(tree, dict):
            return {key: self.cut(part, position) for key, part in tree.items()}
        if isinstance(tree, tuple):
            return tuple(self.cut(part, position) for part in tree)
        if tree is None:
            return None
        assert len(tree) == size * len(self.agents)
        return tree[position * size : (position + 1) * size]

    def act(self, observations, *, states=None, timestep, timesteps, deterministic=False):
        self.calls += 1
        if self.agents[0].cfg.fail == "shape" and timestep == 3:
            return torch.zeros(1, dtype=torch.int64)
        acted = [
            agent.act(
                self.cut(observations, i),
                states=self.cut(states, i),
                timestep=timestep,
                timesteps=timesteps,
                deterministic=deterministic,
            )
            for i, agent in enumerate(self.agents)
        ]
        return tree_cat(acted)

    def record_transition(self, transition, *, timestep, timesteps):
        names = ("observations", "actions", "rewards", "next_observations", "terminated")
        names += ("truncated", "valid", "states", "next_states")
        for i, agent in enumerate(self.agents):
            own = {name: self.cut(getattr(transition, name), i) for name in names}
            agent.record_transition(
                evolve(transition, **own), timestep=timestep, timesteps=timesteps
            )

    def post_interaction(self, *, timestep, timesteps):
        for agent in self.agents:
            agent.post_interaction(timestep=timestep, timesteps=timesteps)
        return {}

    def episodes_cut(self):
        for agent in self.agents:
            agent.episodes_cut()

    def metrics(self):
        return [agent.metrics() for agent in self.agents]

    def state_dict(self, position):
        return self.agents[position].state_dict()

    def load_state_dict(self, position, state):
        self.agents[position].load_state_dict(state)

    def reconfigure(self, position, settings):
        self.agents[position].reconfigure(settings)

    def unstack(self, position):
        pass


def agents_of(env, *settings):
    return [
        PairAgent(
            observation_space=env.observation_space,
            action_space=env.action_space,
            state_space=env.state_space,
            seed=seed,
            cfg=cfg,
        )
        for seed, cfg in enumerate(settings)
    ]


def train(trainer, env, agents, timesteps=24, scopes=None, **cfg):
    settings = {"timesteps": timesteps, "disable_progressbar": True, **cfg}
    with trainer(env=env, agents=agents, scopes=scopes, cfg=settings) as made:
        made.train()
    return made


def nested_env():
    observations = spaces.Dict(
        {"camera": spaces.Box(0, 255, (2, 2), np.uint8), "which": spaces.Discrete(3)}
    )
    actions = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.MultiDiscrete([2, 3])})
    return SpaceEnv(8, observations, action_space=actions, state=True)


@pytest.mark.parametrize("env", [lambda: CountingEnv(8), nested_env], ids=["vector", "nested"])
@pytest.mark.parametrize(
    "groups", ["aaaa", "abab", "abba", "a-a-", "-aa-", "abcd"], ids=lambda text: text
)
def test_wherever_their_rows_lie_members_get_their_own(env, groups):
    """Stacks side by side, interleaved, and with single members between."""
    settings = [{"group": "nobody" if g == "-" else g} for g in groups]
    states = []
    for trainer in (SequentialTrainer, FusedTrainer):
        place = env()
        agents = agents_of(place, *settings)
        made = train(trainer, place, agents, debug=True)
        states.append([agent.state_dict() for agent in agents])
    for mine, own in zip(*states, strict=True):
        assert_same_state(mine, own)
    stacked = {name for names in made.placement.stacks for name in names}
    twice = {f"pair-{i}" for i, g in enumerate(groups) if g != "-" and groups.count(g) > 1}
    assert stacked == twice


def test_scopes_of_one_size_only_are_stacked():
    env = CountingEnv(9)
    agents = agents_of(env, {}, {}, {})
    made = train(FusedTrainer, env, agents, scopes=[3, 2, 4])
    assert made.placement.stacks == ()
    assert made.placement.alone["pair-0"] == "fewer than 2 agents are alike"


def test_the_placement_says_who_and_why(caplog):
    env = CountingEnv(8)
    agents = [*agents_of(env, {}, {}, {"group": "b"}), *agents_of(env, {"group": "nobody"})]
    agents[3].name = "shy"
    with caplog.at_level(logging.INFO, logger="coterie"):
        made = train(FusedTrainer, env, agents)
    assert made.placement == Placement(
        stacks=(("pair-0", "pair-1"),),
        alone={"pair-2": "differs from pair-0 in group", "shy": "it does not want to"},
    )
    assert str(made.placement) in caplog.text
    assert caplog.text.count("stacked (2): pair-0, pair-1") == 1


def test_a_smallest_stack():
    env = CountingEnv(6)
    made = train(FusedTrainer, env, agents_of(env, {}, {}, {}), smallest_stack=4)
    assert made.placement.stacks == ()
    assert set(made.placement.alone.values()) == {"fewer than 4 agents are alike"}
    with pytest.raises(ConfigError, match="smallest_stack"):
        FusedTrainer(env=env, agents=agents_of(env, {}), cfg={"smallest_stack": 0})
    assert FusedTrainerCfg().smallest_stack == 2


def test_agents_that_can_not_be_stacked_are_named():
    env = CountingEnv(4)
    agents = [
        SumAgent(observation_space=env.observation_space, action_space=env.action_space, seed=i)
        for i in range(2)
    ]
    made = train(FusedTrainer, env, agents)
    assert set(made.placement.alone.values()) == {"agents of class SumAgent can't be stacked"}


@pytest.mark.parametrize(
    ("fail", "phase", "timestep", "text"),
    [("stack", "setup", None, "out of ideas"), ("shape", "act", 3, "expected a tensor of shape")],
)
def test_what_goes_wrong_in_a_stack_costs_all_of_it(fail, phase, timestep, text):
    env = CountingEnv(6)
    settings = [{"fail": fail}, {}, {"group": "nobody"}]
    with pytest.raises(WorkerRaised, match=text) as caught:
        train(FusedTrainer, env, agents_of(env, *settings))
    assert (caught.value.agent_index, caught.value.phase) == (0, phase)
    assert caught.value.timestep == timestep
    agents = agents_of(env, *settings)
    made = train(FusedTrainer, CountingEnv(6), agents, on_member_failure="continue")
    assert [member.status for member in made.members] == ["failed", "failed", "active"]
    assert agents[2].steps == 24


def test_an_executor_that_is_not_open_says_so():
    env = CountingEnv(4)
    executor = FusedExecutor()
    with pytest.raises(TrainerStateError, match="not open"):
        executor.metrics()
    made = FusedTrainer(env=env, agents=agents_of(env, {}, {}), cfg={"timesteps": 1})
    assert made.placement is None
    executor.settle(made.members)
    executor.close()
