"""Promise 1 for agents that see images: the same result under every trainer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

import coterie
from coterie.testing import SpaceEnv, assert_same_state

IMAGE = spaces.Box(0, 255, (6, 6, 3), np.uint8)
SPACE = spaces.Dict({"image": IMAGE, "speed": spaces.Box(-1.0, 1.0, (2,), np.float32)})
MODEL = {"hidden_sizes": (8,), "cnn": {"channels": (4,), "kernels": (3,), "features": 8}}
KINDS = {
    "ppo": {"rollouts": 5, "learning_epochs": 2, "mini_batches": 2, "model": MODEL},
    "dqn": {"learning_starts": 4, "batch_size": 8, "memory_size": 200, "model": MODEL},
}


def population(kind: str, seeds: list[int], trainer: str = "sequential"):
    env = SpaceEnv(3 * len(seeds), SPACE)
    agents = [coterie.make_agent(kind, env=env, seed=seed, cfg=KINDS[kind]) for seed in seeds]
    cfg = {"timesteps": 12, "headless": True, "disable_progressbar": True}
    with coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg) as made:
        made.train()
    return agents


@pytest.mark.parametrize("kind", KINDS)
def test_alone_in_a_population_and_in_other_processes(kind: str) -> None:
    (alone,) = population(kind, [3])
    among = population(kind, [1, 3, 2])
    elsewhere = population(kind, [1, 3, 2], "parallel")
    assert_same_state(alone.state_dict(), among[1].state_dict())
    for left, right in zip(among, elsewhere, strict=True):
        assert left.state_dict()["updates"] > 1
        assert_same_state(left.state_dict(), right.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_fused_members_learn_the_same_but_for_rounding(kind: str) -> None:
    expected = population(kind, [1, 3, 2])
    found = population(kind, [1, 3, 2], "fused")
    for left, right in zip(expected, found, strict=True):
        for name, weights in left.state_dict()["networks"].items():
            for key, tensor in (weights or {}).items():
                other = right.state_dict()["networks"][name][key]
                torch.testing.assert_close(other, tensor, rtol=1e-3, atol=1e-4)
