"""Scripted experience of teams, a function of the timestep, with actors that end early."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import Transition
from coterie._spaces import sample_actions
from coterie._trees import tree_map, tree_where
from coterie_agents import IPPO, MAPPO

KINDS = {"ippo": IPPO, "mappo": MAPPO}
BOX = spaces.Box(-2.0, 2.0, (3,), np.float32)
ALIKE = {
    "observation_space": spaces.Dict([(a, BOX) for a in ("left", "right", "scout")]),
    "action_space": spaces.Dict([(a, spaces.Discrete(2)) for a in ("left", "right", "scout")]),
}
UNLIKE = {
    "observation_space": spaces.Dict(
        [
            ("left", BOX),
            ("right", spaces.Dict({"place": BOX, "light": spaces.Discrete(3, start=1)})),
            ("scout", BOX),
        ]
    ),
    "action_space": spaces.Dict(
        [
            ("left", spaces.Discrete(2)),
            ("right", spaces.Box(-1.0, 1.0, (2,), np.float32)),
            ("scout", spaces.MultiDiscrete([2, 3])),
        ]
    ),
}


_DRAWN = {}


def observe(space, num_envs, timestep, salt=0):
    """Observations of a timestep: always the same."""
    key = id(space), num_envs, timestep, salt
    if key not in _DRAWN:
        generator = torch.Generator().manual_seed(1000 * (salt + 1) + timestep)
        _DRAWN[key] = space, sample_actions(space, num_envs, generator)
    return _DRAWN[key][1]


def fill(tree, there, filler):
    """Replace the rows of those who are gone."""
    return tree_where(there, tree, tree_map(lambda t: torch.full_like(t, filler), tree))


def course(actors, num_envs, timestep):
    """Who is there, who ends and how; actors at odd places end before the others."""
    valid, terminated, truncated = {}, {}, {}
    instances = torch.arange(num_envs)
    period = 5 + instances % 3
    phase, episode = timestep % period, timestep // period
    for i, actor in enumerate(actors):
        last = period - 1 - (i % 2) * (1 + instances % 2)
        valid[actor] = phase <= last
        ends, even = phase == last, (instances + i + episode) % 2 == 0
        terminated[actor], truncated[actor] = ends & even, ends & ~even
    return {
        "valid": valid,
        "terminated": terminated,
        "truncated": truncated,
        "ended": phase == period - 1,
        "all_valid": False,
    }


class Script:
    """Drives a team, or a learner of several, through scripted experience."""

    kinds = KINDS
    alike = ALIKE
    unlike = UNLIKE
    box = BOX

    def __init__(self, filler=0.0, reward=None, early=True):
        self.filler, self.reward, self.early = filler, reward, early

    @staticmethod
    def team(
        kind, places=ALIKE, *, state_space=None, num_envs=4, seed=0, precise=False, **settings
    ):
        made = KINDS[kind]
        if precise:
            made = type("Precise", (made,), {"dtype": torch.float64})
        defaults = {"rollouts": 8, "learning_epochs": 2, "mini_batches": 2}
        model = {"hidden_sizes": (6, 6), **settings.pop("model", {})}
        models, name = settings.pop("models", None), settings.pop("name", None)
        team = made(
            **places,
            state_space=state_space,
            seed=seed,
            name=name,
            models=models,
            cfg={**defaults, **settings, "model": model},
        )
        team.setup(num_envs)
        return team

    def see(self, space, num_envs, timestep, salt=0):
        """Observations by actor before a timestep, filled where actors are gone."""
        valid = self.course(tuple(space), num_envs, timestep)["valid"]
        return {
            actor: fill(observe(part, num_envs, timestep, salt + i), valid[actor], self.filler)
            for i, (actor, part) in enumerate(space.items())
        }

    def course(self, actors, num_envs, timestep):
        found = course(actors, num_envs, timestep)
        if self.early:
            return found
        ended = found["ended"]
        none = dict.fromkeys(actors, torch.zeros_like(ended))
        return {
            "valid": dict.fromkeys(actors, torch.ones_like(ended)),
            "terminated": none,
            "truncated": dict.fromkeys(actors, ended),
            "ended": ended,
            "all_valid": True,
        }

    def after(self, space, num_envs, timestep, salt=0):
        """Where a timestep ended, true final observations included."""
        now = self.course(tuple(space), num_envs, timestep)
        found = {}
        for i, (actor, part) in enumerate(space.items()):
            goes_on = observe(part, num_envs, timestep + 1, salt + i)
            final = observe(part, num_envs, timestep + 500, salt + i)
            over = now["terminated"][actor] | now["truncated"][actor]
            true = tree_where(over, final, goes_on)
            found[actor] = fill(true, now["valid"][actor], self.filler)
        return found

    def transition(self, team, actions, num_envs, timestep):
        space, states = team.observation_space, team.state_space
        now = self.course(tuple(space), num_envs, timestep)
        observations = self.see(space, num_envs, timestep)
        make = self.reward or first_numbers
        rewards = make(observations, actions, timestep)
        kept = {a: torch.where(now["valid"][a], r, 0.0) for a, r in rewards.items()}
        more = {"states": None, "next_states": None}
        if isinstance(states, spaces.Dict) and set(states) == set(space):
            more = {
                "states": self.see(states, num_envs, timestep, 50),
                "next_states": self.after(states, num_envs, timestep, 50),
            }
        elif states is not None:
            ended = now["ended"]
            following = observe(states, num_envs, timestep + 1, 50)
            final = observe(states, num_envs, timestep + 500, 50)
            more = {
                "states": observe(states, num_envs, timestep, 50),
                "next_states": tree_where(ended, final, following),
            }
        return Transition(
            observations=observations,
            actions=actions,
            rewards=kept,
            next_observations=self.after(space, num_envs, timestep),
            **now,
            **more,
        )

    def run(self, team, steps, *, start=0, total=1000, mean_over=None):
        """Drive a team; return the mean reward of the actors that were there, of late."""
        means = []
        for timestep in range(start, start + steps):
            at = {"timestep": timestep, "timesteps": total}
            observations = self.see(team.observation_space, team.num_envs, timestep)
            team.pre_interaction(**at)
            actions = team.act(observations, **at)
            transition = self.transition(team, actions, team.num_envs, timestep)
            team.record_transition(transition, **at)
            team.post_interaction(**at)
            given = sum(r.sum() for r in transition.rewards.values())
            means.append(float(given / sum(v.sum() for v in transition.valid.values())))
        return float(np.mean(means[-(mean_over or steps) :]))


def first_numbers(observations, actions, timestep):
    """A reward that differs from row to row and depends on what was done."""
    return {
        actor: torch.sin(3.0 * timestep + i + torch.arange(len(own)).float())
        + own.reshape(len(own), -1)[:, 0].float()
        for i, (actor, own) in enumerate(actions.items())
    }


@pytest.fixture
def script():
    return Script


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param
