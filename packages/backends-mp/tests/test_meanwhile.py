"""What the caller may do while the members are at work."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from coterie import Executor, Member, Transition
from coterie.testing import CountingEnv, SumAgent
from coterie_backends_mp import ParallelTrainerCfg, ProcessExecutor, _executor


class WaitingAgent(SumAgent):
    """Records only when a file is there."""

    file = ""

    def record_transition(self, transition: Any, **more: Any) -> None:
        deadline = time.monotonic() + 60
        while not os.path.exists(self.file) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert os.path.exists(self.file), "nothing was done meanwhile"
        super().record_transition(transition, **more)


def opened(env: CountingEnv, file: Path) -> ProcessExecutor:
    agent = WaitingAgent(
        observation_space=env.observation_space, action_space=env.action_space, seed=0
    )
    agent.file = str(file)
    member = Member(index=0, name="a", agent=agent, scope=slice(0, env.num_envs))
    cfg = ParallelTrainerCfg(threads=1)
    executor = ProcessExecutor(cfg)
    executor.open([member], env.interface, "train", cfg)
    return executor


def begun(executor: Executor, env: CountingEnv) -> Any:
    """Begin to advance by one step of the environment."""
    before, _ = env.reset(seed=0)
    actions = executor.begin(before, None, timestep=0, timesteps=9, cut=False)
    after, rewards, terminated, truncated, _ = env.step(actions)
    step = Transition(
        observations=before,
        actions=actions,
        rewards=rewards,
        next_observations=after,
        terminated=terminated,
        truncated=truncated,
        valid=torch.ones(env.num_envs, dtype=torch.bool),
    )
    return executor.begin_advance(step, after, None)


@pytest.mark.parametrize("cores", [1, 8])
def test_members_work_while_the_caller_does_where_a_core_is_spare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cores: int
) -> None:
    monkeypatch.setattr(_executor, "usable_cores", lambda: cores)
    env = CountingEnv(4)
    executor = opened(env, tmp_path / "file")
    try:
        wait = begun(executor, env)
        assert executor._busy is (cores > 1)  # under way, or not begun
        (tmp_path / "file").touch()
        assert len(wait()) == env.num_envs
        assert len(executor.metrics()) == 1
    finally:
        executor.close()
