"""On a GPU: what is exchanged stays on the device."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import coterie
from coterie import SequentialTrainer, SharedMemoryError, Trainer, WorkerDied
from coterie.testing import LeanSumAgent, SumAgent, agents_for
from coterie_backends_mp import ParallelTrainer
from coterie_backends_mp._device import check_allocator

SETTINGS = {"headless": True, "disable_progressbar": True, "timesteps": 60}


def run(kind: type[Trainer], device: str, *kinds: Any, runs: int = 1, **cfg: Any) -> list[Any]:
    """Train on an environment on the GPU; return what the agents learned."""
    pytest.importorskip("coterie_envs")
    env = coterie.make_env("torch:CartPole-v1", num_envs=2 * len(kinds) + 1, device="cuda", seed=0)
    agents = agents_for(env, *kinds, device=device)
    with kind(env=env, agents=agents, cfg={**SETTINGS, **cfg}) as trainer:
        for _ in range(runs):
            trainer.train()
    return [agent.sum.cpu() for agent in agents]


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda", "cpu"])
@pytest.mark.parametrize("processes", [None, 2])
def test_the_same_as_sequential(device: str, processes: int | None) -> None:
    kinds = (LeanSumAgent, SumAgent, LeanSumAgent)
    expected = run(SequentialTrainer, device, *kinds, runs=2)
    found = run(ParallelTrainer, device, *kinds, runs=2, processes=processes)
    for left, right in zip(expected, found, strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.gpu
def test_nothing_is_left_on_the_device() -> None:
    run(ParallelTrainer, "cuda", SumAgent, SumAgent)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    run(ParallelTrainer, "cuda", SumAgent, SumAgent)
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() == before


class DyingAgent(SumAgent):
    """Ends its process."""

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        import os

        os._exit(3)


@pytest.mark.gpu
def test_a_worker_that_dies_is_told() -> None:
    with pytest.raises(WorkerDied, match="exit code 3"):
        run(ParallelTrainer, "cuda", SumAgent, DyingAgent)


@pytest.mark.parametrize("name", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_expandable_segments_are_refused(name: str) -> None:
    setting = "max_split_size_mb:64, expandable_segments:True"
    with pytest.raises(SharedMemoryError, match=f"{name}=.*can't be shared between processes"):
        check_allocator({name: setting})
    check_allocator({name: "expandable_segments:False"})
    check_allocator({})
