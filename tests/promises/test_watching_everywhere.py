"""Agents that want to see the steps of an evaluation see them all, whichever trainer it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.vector import AutoresetMode

import coterie
from coterie import Transition
from coterie.testing import CountingEnv, SumAgent

TIMESTEPS = 12
TRAINERS: dict[str, Mapping[str, Any]] = {
    "sequential": {},
    "parallel": {"processes": 1},
    "fused": {},
}


class Watcher(SumAgent):
    """Writes what it sees of an evaluation to a file, for it may do so in another process."""

    watches_evaluation = True
    folder: Path

    def watch(self, transition: Transition[Any], *, timestep: int, timesteps: int) -> None:
        assert not self.training
        assert timesteps == TIMESTEPS
        seen = {
            "observations": transition.observations,
            "actions": transition.actions,
            "rewards": transition.rewards,
            "next_observations": transition.next_observations,
            "done": transition.done,
        }
        torch.save(seen, self.folder / f"{self.name}-{timestep}.pt")


def watch(trainer: str, folder: Path, mode: AutoresetMode) -> list[list[dict[str, torch.Tensor]]]:
    """What each member saw of an evaluation, step by step."""
    os.makedirs(folder)
    env = CountingEnv(5, autoreset_mode=mode)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    agents = [Watcher(**spaces, seed=seed, name=str(seed)) for seed in (0, 1)]
    for agent in agents:
        agent.folder = folder
    cfg = {"timesteps": TIMESTEPS, "disable_progressbar": True, **TRAINERS[trainer]}
    made = coterie.make_trainer(trainer, env=env, agents=agents, scopes=[2, 3], cfg=cfg)
    with made:
        made.train()
        assert not os.listdir(folder)
        made.eval()
    steps = range(TIMESTEPS)
    return [[torch.load(folder / f"{name}-{step}.pt") for step in steps] for name in (0, 1)]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_every_step_is_seen_and_everywhere_the_same(mode: AutoresetMode, tmp_path: Path) -> None:
    found = {name: watch(name, tmp_path / name, mode) for name in TRAINERS}
    for steps, count in zip(found["sequential"], (2, 3), strict=True):
        assert all(step["rewards"].shape == (count,) for step in steps)
        for before, after in pairwise(steps):
            goes_on = ~before["done"]
            follows = before["next_observations"] == after["observations"]
            assert follows[goes_on].all()
        assert any(bool(step["done"].any()) for step in steps)
    for name in ("parallel", "fused"):
        for one, other in zip(found["sequential"], found[name], strict=True):
            for step, same in zip(one, other, strict=True):
                assert all(torch.equal(step[key], same[key]) for key in step)
