"""Promise 1 for A2C and RPO: the same result alone, among others and in other processes."""

from __future__ import annotations

import pytest

import coterie
from coterie.testing import assert_same_state, differs

CASES = {
    "a2c": ("torch:CartPole-v1", {"rollouts": 8, "observation_normalization": True}),
    "rpo": ("torch:Pendulum-v1", {"rollouts": 16, "mini_batches": 2, "learning_epochs": 2}),
}
STEPS = 37


def population(kind: str, seeds: list[int], trainer: str = "sequential"):
    """Train one agent per seed, in two goes; return the agents."""
    env_id, settings = CASES[kind]
    env = coterie.make_env(env_id, num_envs=4 * len(seeds), seed=9)
    agents = [coterie.make_agent(kind, env=env, seed=seed, cfg=settings) for seed in seeds]
    cfg = {"timesteps": STEPS, "headless": True, "disable_progressbar": True}
    with coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg) as made:
        made.train()
        made.train()
    return agents


@pytest.mark.parametrize("kind", CASES)
def test_alone_in_a_population_and_in_other_processes(kind: str) -> None:
    (alone,) = population(kind, [3])
    among = population(kind, [1, 3, 2])
    elsewhere = population(kind, [1, 3, 2], "parallel")
    assert alone.learner.updates[0] >= 4
    assert differs(among[0].state_dict()["networks"], among[1].state_dict()["networks"])
    assert_same_state(alone.state_dict(), among[1].state_dict())
    for left, right in zip(among, elsewhere, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
