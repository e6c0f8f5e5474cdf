"""Promise 1 for agents that remember: the same result under every trainer, shared memory or not."""

from __future__ import annotations

import pytest
import torch

import coterie
from coterie.testing import assert_same_state, differs
from coterie_agents import SharedReplay

CFG = {
    "learning_starts": 5,
    "batch_size": 16,
    "memory_size": 200,
    "update_interval": 2,
    "target_update_interval": 5,
    "exploration_timesteps": 30,
    "model": {"hidden_sizes": (16,)},
}
PRIORITIZED = {"memory": "prioritized", "n_step": 3, "dueling": True, "gradient_steps": 2}
STEPS = 45


def population(
    trainer: str,
    seeds: list[int],
    *,
    shared: bool = False,
    runs: int = 2,
    trainer_cfg: dict[str, object] | None = None,
    **settings: object,
):
    """Train one DQN agent per seed, in some goes; return the agents."""
    env = coterie.make_env("torch:CartPole-v1", num_envs=4 * len(seeds), seed=9)
    parts: list[dict[str, object]] = [{} for _ in seeds]
    if shared:
        storage = SharedReplay.for_env(env, members=len(seeds), capacity=30)
        parts = [{"memory": storage.part(member)} for member in range(len(seeds))]
    agents = [
        coterie.make_agent("dqn", env=env, seed=seed, cfg={**CFG, **settings}, **part)
        for seed, part in zip(seeds, parts, strict=True)
    ]
    steps = 2 * STEPS // runs
    cfg = {"timesteps": steps, "headless": True, "disable_progressbar": True}
    cfg |= trainer_cfg or {}
    with coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg) as made:
        for _ in range(runs):
            made.train()
    return agents


@pytest.mark.parametrize("settings", [{}, PRIORITIZED], ids=["uniform", "prioritized"])
def test_alone_in_a_population_and_in_other_processes(settings: dict[str, object]) -> None:
    (alone,) = population("sequential", [3], **settings)
    among = population("sequential", [1, 3, 2], **settings)
    elsewhere = population("parallel", [1, 3, 2], **settings)
    assert_same_state(alone.state_dict(), among[1].state_dict())
    for left, right in zip(among, elsewhere, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


TRAINERS = {
    "sequential": ("sequential", {}),
    "parallel": ("parallel", {}),
    "fused": ("fused", {}),
    "fused in processes": ("parallel", {"inside": "fused", "processes": 1}),
}


@pytest.mark.parametrize("where", TRAINERS)
@pytest.mark.parametrize("settings", [{}, PRIORITIZED], ids=["uniform", "prioritized"])
def test_memories_that_checkpoints_leave_out_go_on_from_run_to_run(
    where: str, settings: dict[str, object]
) -> None:
    trainer, cfg = TRAINERS[where]
    settings = {**settings, "checkpoint_memory": False}
    expected = population(trainer, [1, 3, 2], runs=1, trainer_cfg=cfg, **settings)
    found = population(trainer, [1, 3, 2], runs=3, trainer_cfg=cfg, **settings)
    for left, right in zip(expected, found, strict=True):
        assert left.state_dict()["memory"] is None
        assert left.handover()["memory"]["writes"] == 2 * STEPS
        assert_same_state(left.handover(), right.handover())


@pytest.mark.parametrize("n_step", [1, 3])
def test_members_that_share_experience_learn_the_same_at_once_and_in_turn(n_step: int) -> None:
    apart = population("sequential", [1, 3, 2], n_step=n_step)
    expected = population("sequential", [1, 3, 2], shared=True, n_step=n_step)
    found = population("parallel", [1, 3, 2], shared=True, n_step=n_step)
    assert differs(apart[0].state_dict()["networks"], expected[0].state_dict()["networks"])
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_fused_members_learn_the_same_but_for_rounding() -> None:
    expected = population("sequential", [1, 3, 2], **PRIORITIZED)
    found = population("fused", [1, 3, 2], **PRIORITIZED)
    for left, right in zip(expected, found, strict=True):
        one, two = left.state_dict(), right.state_dict()
        assert one["steps"] == two["steps"]
        for name, weight in one["networks"]["q"].items():
            torch.testing.assert_close(two["networks"]["q"][name], weight, rtol=1e-3, atol=1e-4)
