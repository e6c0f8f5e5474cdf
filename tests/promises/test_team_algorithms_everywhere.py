"""The promises for IPPO and MAPPO: alone, among others, elsewhere, in two goes, beside failures."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import coterie
from coterie.testing import CountingTeamEnv, assert_same_state, differs

SMALL = {
    "rollouts": 8,
    "mini_batches": 2,
    "learning_epochs": 2,
    "observation_normalization": True,
    "model": {"hidden_sizes": (6,)},
}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "ippo-shared": ("ippo", {"alike": True}, {}),
    "ippo-separate": ("ippo", {"alike": True}, {"sharing": "separate"}),
    "mappo-unlike": ("mappo", {"state": "shared"}, {}),
    "mappo-joint": ("mappo", {"alike": True}, {}),
}
STEPS = 19


def population(
    case: str,
    seeds: list[int],
    trainer: str = "sequential",
    *,
    runs: int = 2,
    steps: int = STEPS,
    evaluate: bool = False,
    spoilt: int | None = None,
) -> list[Any]:
    """Train one team per seed, in several goes; return the teams."""
    kind, place, settings = CASES[case]
    env = CountingTeamEnv(3 * len(seeds), seed=9, **place)
    teams = [
        coterie.make_agent(kind, env=env, seed=seed, cfg={**SMALL, **settings}) for seed in seeds
    ]
    if spoilt is not None:
        spoil(teams[spoilt])
    cfg = {
        "timesteps": steps,
        "headless": True,
        "disable_progressbar": True,
        "on_member_failure": "raise" if spoilt is None else "continue",
    }
    with coterie.make_trainer(trainer, env=env, agents=teams, cfg=cfg) as made:
        for _ in range(runs):
            made.train()
            if evaluate:
                made.eval()
    return teams


def spoil(team: Any) -> None:
    """Let a team's weights be no numbers: its first update fails."""
    parameters = team.learner.groups[-1].networks.parameters
    with torch.no_grad():
        parameters[-1].fill_(float("nan"))


@pytest.mark.parametrize("case", CASES)
def test_alone_in_a_population_and_in_other_processes(case: str) -> None:
    (alone,) = population(case, [3])
    among = population(case, [1, 3, 2])
    elsewhere = population(case, [1, 3, 2], "parallel")
    assert alone.learner.updates[0] >= 4
    assert differs(among[0].state_dict()["actors"], among[1].state_dict()["actors"])
    assert_same_state(alone.state_dict(), among[1].state_dict())
    for left, right in zip(among, elsewhere, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


@pytest.mark.parametrize("case", CASES)
def test_evaluation_leaves_training_alone(case: str) -> None:
    plain = population(case, [1, 2])
    watched = population(case, [1, 2], evaluate=True)
    for left, right in zip(plain, watched, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


@pytest.mark.parametrize("trainer", ["sequential", "fused"])
@pytest.mark.parametrize("case", ["ippo-separate", "mappo-unlike"])
def test_a_team_that_fails_changes_nothing_for_others(case: str, trainer: str) -> None:
    healthy = population(case, [1, 2, 3], trainer, runs=1)
    beside = population(case, [1, 2, 3], trainer, runs=1, spoilt=1)
    for index in (0, 2):
        assert_same_state(healthy[index].state_dict(), beside[index].state_dict())
    assert differs(healthy[1].state_dict()["actors"], beside[1].state_dict()["actors"])


@pytest.mark.parametrize("trainer", ["sequential", "fused"])
@pytest.mark.parametrize("case", CASES)
def test_in_two_goes_equals_in_one(case: str, trainer: str) -> None:
    once = population(case, [1, 2], trainer, runs=1, steps=2 * STEPS)
    twice = population(case, [1, 2], trainer, runs=2)
    for left, right in zip(once, twice, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
