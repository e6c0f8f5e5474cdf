"""Promise 1: the same bits as the trainer ``sequential``, for learning agents."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import coterie
from coterie import SequentialTrainer, SharedMemoryError, Trainer
from coterie.testing import CountingEnv, LeanSumAgent, SumAgent, agents_for, assert_same_state
from coterie_backends_mp import ParallelTrainer


class FlatAgent(SumAgent):
    """A small policy whose parameters are views of one flat tensor, which Adam works on."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        start = torch.Generator().manual_seed(self.seed)
        self.flat = torch.nn.Parameter(torch.randn(8, generator=start))
        self.weight = self.flat.data[:6].view(3, 2)
        self.bias = self.flat.data[6:]
        self.optimiser = torch.optim.Adam([self.flat], lr=0.1)

    def act(self, observations: Any, **_: Any) -> Any:
        logits = observations @ self.weight + self.bias
        noise = torch.rand(logits.shape, generator=self.generator)
        return (logits + noise).argmax(1)

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        super().post_interaction(timestep=timestep, timesteps=timesteps)
        self.flat.grad = torch.randn(8, generator=self.generator)
        self.optimiser.step()

    def state_dict(self) -> Any:
        optimiser = self.optimiser.state_dict()
        moments = {str(key): value for key, value in optimiser["state"].items()}
        return {**super().state_dict(), "flat": self.flat.detach().clone(), "moments": moments}

    def load_state_dict(self, state: Any) -> None:
        super().load_state_dict(state)
        self.flat.data.copy_(state["flat"])
        groups = self.optimiser.state_dict()["param_groups"]
        moments = {int(key): value for key, value in state["moments"].items()}
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})


def run(kind: type[Trainer], agents: list[Any], env: Any, runs: int = 1, **cfg: Any) -> list[Any]:
    """Train and return the agents' states."""
    settings = {"headless": True, "disable_progressbar": True, "timesteps": 40, **cfg}
    with kind(env=env, agents=agents, cfg=settings) as trainer:
        for _ in range(runs):
            trainer.train()
    return [agent.state_dict() for agent in agents]


@pytest.mark.parametrize(("count", "processes"), [(1, None), (2, None), (3, 2), (8, 3)])
def test_views_of_one_tensor_stay_views(count: int, processes: int | None) -> None:
    def population() -> tuple[CountingEnv, list[Any]]:
        env = CountingEnv(2 * count)
        return env, agents_for(env, *[FlatAgent] * count)

    env, agents = population()
    expected = run(SequentialTrainer, agents, env)
    env, agents = population()
    found = run(ParallelTrainer, agents, env, processes=processes, threads=1)
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left, right)


@pytest.mark.parametrize(
    ("count", "processes", "runs"), [(1, None, 1), (2, None, 2), (3, 2, 1), (8, "auto", 1)]
)
def test_ppo(count: int, processes: Any, runs: int) -> None:
    pytest.importorskip("coterie_agents")
    pytest.importorskip("coterie_envs")

    def population() -> tuple[Any, list[Any]]:
        env = coterie.make_env("torch:CartPole-v1", num_envs=4 * count, seed=3)
        cfg = {"rollouts": 16}
        return env, [
            coterie.make_agent("ppo", env=env, seed=seed, cfg=cfg) for seed in range(count)
        ]

    env, agents = population()
    expected = run(SequentialTrainer, agents, env, runs)
    env, agents = population()
    found = run(ParallelTrainer, agents, env, runs, processes=processes, threads=1)
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left, right)


def test_different_agents_in_one_population() -> None:
    def population() -> tuple[CountingEnv, list[Any]]:
        env = CountingEnv(7)
        return env, agents_for(env, FlatAgent, SumAgent, FlatAgent)

    env, agents = population()
    expected = run(SequentialTrainer, agents, env)
    env, agents = population()
    found = run(ParallelTrainer, agents, env, threads=1)
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left, right)


def test_spawned_workers_give_the_same_bits() -> None:
    env = CountingEnv(4)
    expected = run(SequentialTrainer, agents_for(env, SumAgent, SumAgent), env)
    env = CountingEnv(4)
    agents = agents_for(env, SumAgent, SumAgent)
    found = run(ParallelTrainer, agents, env, start_method="spawn", threads=1)
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left, right)


class OversteppingAgent(LeanSumAgent):
    """Writes behind its observations, once."""

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        super().post_interaction(timestep=timestep, timesteps=timesteps)
        if timestep == 2:
            memory = self.seen.untyped_storage()
            end = self.seen.storage_offset() * 4 + self.seen.nbytes
            memory[end] = 1

    def act(self, observations: Any, **arguments: Any) -> Any:
        self.seen = observations
        return super().act(observations, **arguments)


def test_debugging_finds_who_writes_where_nothing_belongs() -> None:
    env = CountingEnv(6)
    agents = agents_for(env, LeanSumAgent, OversteppingAgent, LeanSumAgent)
    with pytest.raises(SharedMemoryError, match=r"at step 2 .* observations .* agent 1 \('"):
        run(ParallelTrainer, agents, env, debug=True)


@pytest.mark.parametrize("debug", [False, True])
def test_agents_that_do_without_copies(debug: bool) -> None:
    kinds = (LeanSumAgent, SumAgent, LeanSumAgent)
    env = CountingEnv(7)
    expected = run(SequentialTrainer, agents_for(env, *kinds), env, runs=2)
    env = CountingEnv(7)
    found = run(ParallelTrainer, agents_for(env, *kinds), env, runs=2, processes=2, debug=debug)
    for left, right in zip(expected, found, strict=True):
        assert_same_state(left, right)
