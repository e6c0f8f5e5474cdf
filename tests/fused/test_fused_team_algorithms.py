"""IPPO and MAPPO in stacks of whole teams, alike or not."""

import pytest
import torch
from torch import nn

import coterie
from coterie.testing import CountingTeamEnv

SMALL = {
    "rollouts": 4,
    "learning_epochs": 2,
    "mini_batches": 2,
    "observation_normalization": True,
    "model": {"hidden_sizes": (6,)},
}
PLACES = {
    "alike": {"alike": True},
    "alike-own": {"alike": True, "state": "own"},
    "unlike": {},
    "unlike-shared": {"state": "shared"},
    "together": {"alike": True, "together": True},
}


def teams_for(kind, env, count=3, precise=True, models=None, **settings):
    made = type(coterie.make_agent(kind, env=env))
    if precise:
        made = type("Precise", (made,), {"dtype": torch.float64})
    return [
        made(
            observation_space=env.observation_space,
            action_space=env.action_space,
            state_space=env.state_space,
            seed=seed,
            models=None if models is None else models(),
            cfg={
                **SMALL,
                "learning_rate": 1e-3 * (1 + seed),
                "discount_factor": 0.9 + 0.03 * seed,
                **settings,
            },
        )
        for seed in range(count)
    ]


@pytest.mark.parametrize("kind", ["ippo", "mappo"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sharing", ["auto", "separate"])
def test_stacked_teams_learn_like_single_ones(tools, kind, place, sharing):
    found = []
    for trainer in ("sequential", "fused"):
        env = CountingTeamEnv(6, **PLACES[place])
        teams = teams_for(kind, env, sharing=sharing)
        made = tools.train(trainer, env, teams, 14)
        found.append(teams)
    assert [len(names) for names in made.placement.stacks] == [3]
    for alone, together in zip(*found, strict=True):
        state = alone.state_dict()
        assert state["updates"] == 3
        tools.assert_close(state, together.state_dict(), rtol=1e-9, atol=1e-9)
        assert alone.metrics().keys() == together.metrics().keys()


def test_teams_that_differ_are_not_stacked(tools):
    env = CountingTeamEnv(4, alike=True)
    first, second = (
        teams_for("ippo", env, 1, False, sharing=sharing)[0] for sharing in ("shared", "separate")
    )
    for team in (first, second):
        team.setup(2)
    assert first.stack_key().differences(second.stack_key()) == ["setting sharing"]
    third = teams_for("mappo", env, 1, False, sharing="shared")[0]
    third.setup(2)
    assert "class" in first.stack_key().differences(third.stack_key())


def own_modules():
    torch.manual_seed(0)
    return {"policy": nn.Linear(3, 3), "value": nn.Linear(3, 1)}


def test_own_modules_that_actors_share_are_stacked(tools):
    found = []
    for trainer in ("sequential", "fused"):
        env = CountingTeamEnv(6, alike=True)
        settings = {"actor_id": False, "observation_normalization": False}
        teams = teams_for("ippo", env, 3, False, own_modules, **settings)
        made = tools.train(trainer, env, teams, 5)
        found.append(teams)
    assert [len(names) for names in made.placement.stacks] == [3]
    for alone, together in zip(*found, strict=True):
        tools.assert_close(
            alone.models["policy"].state_dict(),
            together.models["policy"].state_dict(),
            rtol=1e-4,
            atol=1e-5,
        )
