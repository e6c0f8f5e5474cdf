"""Promises 1 and 3 for teams: among others, in parts, saved and loaded, one of them failing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import coterie
from coterie.testing import CountingTeamEnv, LeanSumTeam, SumTeam, assert_same_state, differs

TRAINERS = ("sequential", "parallel", "fused")
CFG = {"headless": True, "disable_progressbar": True}


def team(seed: int, env: CountingTeamEnv, cls: type[SumTeam] = SumTeam, **cfg: Any) -> SumTeam:
    return cls(
        observation_space=env.observation_space,
        action_space=env.action_space,
        state_space=env.state_space,
        seed=seed,
        name=f"team-{seed}",
        cfg=cfg,
    )


def env_for(teams: int) -> CountingTeamEnv:
    return CountingTeamEnv(3 * teams, state="shared")


def train(kind: str, seeds: list[int], *parts: int) -> list[SumTeam]:
    """Train teams with these seeds in as many runs as there are parts."""
    env = env_for(len(seeds))
    teams = [team(seed, env, LeanSumTeam if seed % 2 else SumTeam) for seed in seeds]
    with coterie.make_trainer(kind, env=env, agents=teams, cfg=CFG) as trainer:
        for timesteps in parts:
            trainer.cfg = type(trainer.cfg)(**CFG, timesteps=timesteps)
            trainer.train()
    return teams


@pytest.mark.parametrize("kind", TRAINERS)
@pytest.mark.parametrize("others", [[], [8], [8, 9]])
def test_alone_and_among_others(kind: str, others: list[int]) -> None:
    for seed in (2, 3):
        (alone,) = train("sequential", [seed], 30)
        assert_same_state(alone.state_dict(), train(kind, [*others, seed], 30)[-1].state_dict())


@pytest.mark.parametrize("kind", TRAINERS)
def test_in_the_middle_of_episodes_with_actors_gone(kind: str) -> None:
    whole = train("sequential", [2, 3], 40)
    for first in (3, 5):  # an actor is gone in some instance then
        parts = train(kind, [2, 3], first, 40 - first)
        for left, right in zip(whole, parts, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())


def test_saved_and_loaded_in_the_middle(tmp_path: Path) -> None:
    (whole,) = train("sequential", [2], 40)
    env = env_for(1)
    agent, fresh = team(2, env), team(2, env)
    trainer = coterie.make_trainer("sequential", env=env, agents=agent, cfg={**CFG, "timesteps": 5})
    trainer.train()
    agent.save(tmp_path / "team.safetensors")
    fresh.setup(3)
    fresh.load(tmp_path / "team.safetensors")
    assert_same_state(agent.state_dict(), fresh.state_dict())
    trainer.members[0].agent = fresh
    trainer.cfg = type(trainer.cfg)(**CFG, timesteps=35)
    trainer.train()
    assert_same_state(whole.state_dict(), fresh.state_dict())
    assert differs(agent.state_dict(), fresh.state_dict())


@pytest.mark.parametrize("kind", TRAINERS)
def test_a_failing_team_costs_the_others_nothing(kind: str) -> None:
    env = env_for(3)
    teams = [team(2, env), team(3, env, phase="record", at=7), team(4, env)]
    cfg = {**CFG, "timesteps": 30, "on_member_failure": "continue"}
    with coterie.make_trainer(kind, env=env, agents=teams, cfg=cfg) as trainer:
        found = trainer.train().members
    assert [member.status for member in found] == ["trained", "failed", "trained"]
    for healthy in (teams[0], teams[2]):
        (alone,) = train("sequential", [healthy.seed], 30)
        assert_same_state(alone.state_dict(), healthy.state_dict())


def test_step_by_step() -> None:
    whole = train("sequential", [2, 3], 30)
    env = env_for(2)
    teams = [team(2, env), team(3, env, LeanSumTeam)]
    cfg = {**CFG, "timesteps": 30}
    with coterie.make_trainer("step", env=env, agents=teams, cfg=cfg) as trainer:
        taken = [trainer.train() for _ in range(30)]
    for left, right in zip(whole, teams, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
    assert all(set(step.rewards) == set(env.actors) for step in taken)


@pytest.mark.parametrize("kind", TRAINERS)
def test_wrong_kinds_are_refused_before_anything_starts(kind: str) -> None:
    pytest.importorskip("coterie_agents")
    with pytest.raises(coterie.ConfigError, match=r"'ppo' is an agent for one.*left, right"):
        coterie.make_agent("ppo", env=CountingTeamEnv(2))
    single = coterie.make_env("torch:CartPole-v1", num_envs=2)
    agent = coterie.make_agent("ppo", env=single)
    with pytest.raises(coterie.ConfigError, match=r"multi-agent environment.*coterie\.MultiAgent"):
        coterie.make_trainer(kind, env=CountingTeamEnv(2), agents=agent)
