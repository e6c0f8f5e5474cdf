"""A small population of PPO agents under two trainers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import SequentialTrainer
from coterie.testing import CountingEnv
from coterie_agents import PPO
from coterie_backends_fused import FusedTrainer

TRAINERS = {"sequential": SequentialTrainer, "fused": FusedTrainer}
CFG = {"rollouts": 6, "learning_epochs": 2, "mini_batches": 2, "model": {"hidden_sizes": (6, 5)}}


class DoublePPO(PPO):
    """PPO in float64."""

    dtype = torch.float64


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Tools:
    """What the tests share, as one fixture (test folders are no packages)."""

    double = DoublePPO
    trainers = TRAINERS
    cfg = CFG

    @staticmethod
    def env(num_envs: int, **settings: Any) -> CountingEnv:
        return CountingEnv(num_envs, **settings)

    @staticmethod
    def agent(env: Any, seed: int, kind: type[PPO] = PPO, models: Any = None, **cfg: Any) -> PPO:
        return kind(
            observation_space=env.observation_space,
            action_space=env.action_space,
            state_space=env.state_space,
            seed=seed,
            models=models,
            cfg={**CFG, **cfg},
        )

    @staticmethod
    def train(
        name: str,
        env: Any,
        agents: Sequence[PPO],
        timesteps: int,
        *,
        scopes: Sequence[int] | None = None,
        runs: int = 1,
        **cfg: Any,
    ) -> Any:
        settings = {"timesteps": timesteps, "disable_progressbar": True, "headless": True, **cfg}
        with TRAINERS[name](env=env, agents=agents, scopes=scopes, cfg=settings) as trainer:
            for _ in range(runs):
                trainer.train()
        return trainer

    @staticmethod
    def assert_close(one: Any, other: Any, rtol: float, atol: float, path: str = "") -> None:
        """Two states are equal but for rounding of floating-point tensors."""
        if isinstance(one, dict):
            assert one.keys() == other.keys(), path
            for key in one:
                Tools.assert_close(one[key], other[key], rtol, atol, f"{path}.{key}")
        elif isinstance(one, torch.Tensor) and one.is_floating_point():
            torch.testing.assert_close(
                one, other, rtol=rtol, atol=atol, msg=lambda m: f"{path}: {m}"
            )
        elif isinstance(one, torch.Tensor):
            assert torch.equal(one, other), path
        elif isinstance(one, float):
            assert one == pytest.approx(other, rel=rtol, abs=atol), path
        else:
            assert one == other, path


@pytest.fixture
def tools() -> type[Tools]:
    return Tools


BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
