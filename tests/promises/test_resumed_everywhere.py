"""Promise 1 for runs that go on from a checkpoint, with the agents that people use."""

from __future__ import annotations

from pathlib import Path

import pytest

import coterie
from coterie.testing import CountingTeamEnv, assert_same_state, differs

SMALL = {"hidden_sizes": (8,)}
ROLLOUT = {"rollouts": 8, "mini_batches": 2, "learning_epochs": 2}
REPLAY = {"learning_starts": 6, "batch_size": 8, "memory_size": 120, "model": SMALL}
CASES = {
    "ppo": (
        "torch:CartPole-v1",
        {**ROLLOUT, "model": SMALL, "observation_normalization": True, "kl_threshold": 0.01},
    ),
    "dqn": (
        "gymnasium:CartPole-v1",
        {**REPLAY, "memory": "prioritized", "n_step": 3, "exploration_timesteps": 40},
    ),
    "sac": ("torch:Pendulum-v1", REPLAY),
    "ppo_rnn": (
        "torch:CartPole-v1",
        {**ROLLOUT, "sequence_length": 4, "model": {"hidden_size": 8, "sizes_before": (8,)}},
    ),
    "mappo": ("team", {**ROLLOUT, "model": SMALL}),
}
STEPS, EVERY = 41, 13


def trainer_for(kind: str, trainer: str, run: Path | None = None) -> coterie.Trainer:
    """Make a trainer of three members, with checkpoints."""
    env_id, settings = CASES[kind]
    env = CountingTeamEnv(6) if env_id == "team" else coterie.make_env(env_id, num_envs=6, seed=9)
    agents = [coterie.make_agent(kind, env=env, seed=seed, cfg=settings) for seed in (1, 3, 2)]
    cfg = {
        "timesteps": STEPS,
        "disable_progressbar": True,
        "checkpoints": {"interval": EVERY, "keep": 9},
    }
    return coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg, run_dir=run)


def checkpoint(run: Path, number: int) -> Path:
    """Find the checkpoint of a run after so many intervals."""
    return run / "checkpoints" / f"step-{number * EVERY:012d}"


@pytest.mark.parametrize("kind", CASES)
def test_the_run_is_the_same_under_another_trainer(kind: str, tmp_path: Path) -> None:
    whole = trainer_for(kind, "sequential", tmp_path / "run")
    with whole:
        whole.train()
    for number, trainer in ((1, "parallel"), (2, "sequential"), (3, "parallel")):
        resumed = trainer_for(kind, trainer)
        with resumed:
            resumed.resume(checkpoint(tmp_path / "run", number))
            before = [agent.state_dict() for agent in resumed.agents]
            resumed.train()
        for old, left, right in zip(before, whole.agents, resumed.agents, strict=True):
            assert differs(old, right.state_dict())
            assert_same_state(left.state_dict(), right.state_dict())


@pytest.mark.parametrize("kind", ["ppo", "dqn", "sac"])
def test_a_stack_goes_on_as_the_stack_that_was_not_interrupted(kind: str, tmp_path: Path) -> None:
    whole = trainer_for(kind, "fused", tmp_path / "run")
    with whole:
        whole.train()
    for number in (1, 3):
        resumed = trainer_for(kind, "fused")
        with resumed:
            resumed.resume(checkpoint(tmp_path / "run", number))
            resumed.train()
        for left, right in zip(whole.agents, resumed.agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())
