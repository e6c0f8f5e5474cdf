"""Teams under fused: beside each other, and stacked where they say that they can be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gymnasium.vector import AutoresetMode

from coterie import SequentialTrainer, Stack, StackKey
from coterie.spaces import tree_cat, tree_map
from coterie.testing import (
    CountingTeamEnv,
    SumTeam,
    TeamTrainerSuite,
    agents_for,
    assert_same_state,
)
from coterie_backends_fused import FusedTrainer
from coterie_backends_fused._executor import FusedExecutor


class TestFusedTeams(TeamTrainerSuite):
    def make_trainer(self, **arguments):
        return FusedTrainer(**arguments)


class TeamsInTurn(Stack):
    """Gives each of its teams its rows of what the stack is given, whatever the tree."""

    def __init__(self, agents):
        self.agents = agents
        self.given = []

    @property
    def population(self):
        return len(self.agents)

    def act(self, observations, *, states=None, **at):
        parts = [
            agent.act(own, states=own_states, **at)
            for agent, own, own_states in zip(
                self.agents, self.split(observations), self.split(states), strict=True
            )
        ]
        return tree_cat(parts)

    def record_transition(self, transition, **at):
        self.given.append(transition)
        fields = ("observations", "actions", "rewards", "next_observations", "terminated")
        fields += ("truncated", "valid", "states", "next_states", "ended")
        parts = {name: self.split(getattr(transition, name)) for name in fields}
        for k, agent in enumerate(self.agents):
            own = {name: found[k] for name, found in parts.items()}
            agent.record_transition(type(transition)(**own), **at)

    def post_interaction(self, **at):
        for agent in self.agents:
            agent.post_interaction(**at)
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

    def split(self, tree: Any) -> list[Any]:
        count = len(self.agents)
        if tree is None:
            return [None] * count
        return [tree_map(lambda t, k=k: t.chunk(count)[k].clone(), tree) for k in range(count)]


class StackableTeam(SumTeam):
    """A team that can be stacked."""

    made: list[TeamsInTurn] = []  # noqa: RUF012

    def stack_key(self):
        return StackKey(parts={"actors": self.actors})

    def stack(self, agents):
        self.made.append(TeamsInTurn(agents))
        return self.made[-1]


def train(kind, classes, env, **more):
    agents = agents_for(env, *classes)
    cfg = {"timesteps": 24, "disable_progressbar": True, "headless": True}
    with kind(env=env, agents=agents, cfg=cfg, **more) as trainer:
        trainer.train()
    return agents


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(
    "classes",
    [[StackableTeam] * 2, [StackableTeam, SumTeam, StackableTeam]],
    ids=["neighbours", "somebody between"],
)
def test_a_stack_of_teams_is_given_trees(mode, classes):
    def env():
        return CountingTeamEnv(2 * len(classes), autoreset_mode=mode, state="own")

    StackableTeam.made.clear()
    expected = train(SequentialTrainer, classes, env())
    assert not StackableTeam.made
    found = train(FusedTrainer, classes, env())
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
    (stack,) = StackableTeam.made
    assert all(given.ended.shape == (4,) for given in stack.given)
    assert any(bool(given.ended.any()) for given in stack.given)
    assert {own.dtype for own in stack.given[0].valid.values()} == {torch.bool}


def test_why_teams_are_not_stacked():
    env = CountingTeamEnv(4)
    told = []

    class Telling(FusedTrainer):
        def make_executor(self):
            return FusedExecutor(told.append)

    train(Telling, [SumTeam, SumTeam], env)
    assert told[0].stacks == ()
    assert told[0].alone["sum-team-0"] == "agents of class SumTeam can't be stacked"
