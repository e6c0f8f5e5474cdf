"""Promise 1 for agents that remember their episodes, in training and in evaluation."""

from __future__ import annotations

import pytest

import coterie
from coterie.testing import assert_same_state, differs

CASES = {
    "ppo_rnn": (
        "torch:CartPole-v1",
        {"rollouts": 8, "sequence_length": 4, "mini_batches": 2, "learning_epochs": 2},
        {"cell": "lstm", "hidden_size": 8, "sizes_before": (8,)},
    ),
    "sac_rnn": (
        "torch:Pendulum-v1",
        {"learning_starts": 12, "sequence_length": 4, "burn_in": 2, "batch_size": 4},
        {"hidden_size": 8, "sizes_before": (8,), "sizes_after": (8,)},
    ),
}
STEPS = 19


def population(kind: str, seeds: list[int], trainer: str = "sequential"):
    """Train one agent per seed in two goes with an evaluation between; return agents, returns."""
    env_id, settings, model = CASES[kind]
    env = coterie.make_env(env_id, num_envs=3 * len(seeds), seed=9, max_episode_steps=11)
    cfg = {**settings, "model": model}
    agents = [coterie.make_agent(kind, env=env, seed=seed, cfg=cfg) for seed in seeds]
    options = {"timesteps": STEPS, "headless": True, "disable_progressbar": True}
    with coterie.make_trainer(trainer, env=env, agents=agents, cfg=options) as made:
        made.train()
        summary = made.eval()
        made.train()
    return agents, [member.mean_return for member in summary.members]


@pytest.mark.parametrize("kind", CASES)
def test_alone_in_a_population_and_in_other_processes(kind: str) -> None:
    (alone,), (score,) = population(kind, [3])
    among, scores = population(kind, [1, 3, 2])
    elsewhere, other_scores = population(kind, [1, 3, 2], "parallel")
    assert alone.learner.updates[0] >= 4
    assert differs(among[0].state_dict()["networks"], among[1].state_dict()["networks"])
    assert_same_state(alone.state_dict(), among[1].state_dict())
    for left, right in zip(among, elsewhere, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
    assert score == scores[1]
    assert scores == other_scores
