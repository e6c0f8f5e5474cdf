"""What ``cluster_model`` measures: the parts of a large run that one machine can do."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve

import coterie
from coterie import Agent, Transition
from coterie._islands.records import Order, Stretch
from coterie.islands import Answer, IslandHost, IslandTrainer, far_env
from coterie.testing import CountingEnv
from coterie.transport import pack, unpack

INSTANCES = 64
PPO = {"rollouts": 128, "learning_epochs": 4, "mini_batches": 4}


class Idle(Agent):
    """An agent that has nothing to do: where it is, only the trainer works."""

    def act(
        self, observations: Any, *, states: Any = None, timestep: int, timesteps: int
    ) -> torch.Tensor:
        """Answer zeros."""
        return torch.zeros(len(observations), dtype=torch.int64)

    def record_transition(
        self, transition: Transition[Any], *, timestep: int, timesteps: int
    ) -> None:
        """Forget a step."""

    def load_state_dict(self, state: Any) -> None:
        """Stay as it is."""


class CannedHost(IslandHost):
    """Islands that answer at once, always with the same steps.

    Args:
        sizes: Number of instances of each island.
        steps: Timesteps in a stretch.
        length: Steps in an episode, on average.
    """

    def __init__(self, sizes: Sequence[int], steps: int, length: int) -> None:
        draw = np.random.default_rng(0)
        self._canned = [_canned(draw, steps, size, length) for size in sizes]
        self._answers: dict[int, Answer] = {}

    def room(self) -> int:
        """As many as there are."""
        return len(self._canned)

    def start(self, number: int, blueprint: bytes, *, again: bool) -> None:
        """Start nothing."""

    def call(self, number: int, name: str, argument: Any) -> Hashable:
        """Answer a call."""
        value: Any = [] if name == "open" else {} if name == "metrics" else None
        if isinstance(argument, Order):
            whole, steps = self._canned[number], argument.stop - argument.first
            rows = {key: part[:steps] for key, part in whole.outcome.items()}
            value = evolve(whole, first=argument.first, steps=steps, outcome=rows)
        if name == "snapshot":
            value = pack({index: {"agent": {}, "streams": None} for index in argument[0]})
        ticket = len(self._answers)
        self._answers[ticket] = Answer(value=value)
        return ticket

    def wait(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
        """Wait for nothing."""
        return list(tickets)

    def result(self, ticket: Any) -> Answer:
        """Return the answer."""
        return self._answers[ticket]

    def stop(self, number: int) -> None:
        """End nothing."""

    def close(self) -> None:
        """Forget everything."""
        self._answers.clear()


def _canned(draw: np.random.Generator, steps: int, size: int, length: int) -> Stretch:
    outcome = {
        "rewards": np.ones((steps, size), np.float32),
        "terminated": draw.random((steps, size)) < 1 / length,
        "truncated": np.zeros((steps, size), bool),
    }
    return Stretch(
        first=0,
        steps=steps,
        outcome=outcome,
        metrics={},
        failures=(),
        error=None,
        kept=None,
        exact=True,
        environment=0.0,
        members=0.0,
        waited=0.0,
    )


def driver(members: int, islands: int, length: int, timesteps: int) -> float:
    """Seconds per timestep that a trainer takes for what islands send, with nothing to wait for.

    This is the whole session: putting stretches together, episodes, stopping, metrics.
    """
    size = members * INSTANCES
    steps = 16

    class Canned(IslandTrainer):
        kind = "canned"

        def make_host(self) -> IslandHost:
            each = [len(part) * INSTANCES for part in np.array_split(range(members), islands)]
            return CannedHost(each, steps, length)

    env = far_env(CountingEnv, size, template=CountingEnv(1))
    space = {"observation_space": env.observation_space, "action_space": env.action_space}
    agents = [Idle(**space, seed=seed) for seed in range(members)]
    cfg = {
        "stretch": steps,
        "islands": islands,
        "disable_progressbar": True,
        "headless": True,
        "metrics_interval": 100 * timesteps,
    }

    def busy(count: int) -> float:
        with Canned(env=env, agents=agents, cfg={**cfg, "timesteps": count}) as trainer:
            start = time.process_time()
            trainer.train()
            return time.process_time() - start

    return (busy(5 * timesteps) - busy(timesteps)) / (4 * timesteps)


def exchange_bytes() -> float:
    """Bytes of a stretch per step of one instance."""
    one = _canned(np.random.default_rng(0), 64, 1024, 200)
    return sum(part.nbytes for part in one.outcome.values()) / (64 * 1024)


def member_state() -> dict[str, float]:
    """Size of a member's state in the middle of a rollout, and seconds to deal with it."""
    env = coterie.make_env("torch:CartPole-v1", num_envs=INSTANCES, seed=0)
    agent = coterie.make_agent("ppo", env=env, seed=0, cfg=PPO)
    cfg = {"timesteps": 200, "headless": True, "disable_progressbar": True}
    with coterie.make_trainer("sequential", env=env, agents=[agent], cfg=cfg) as trainer:
        trainer.train()
        whole = {"agent": agent.state_dict(), "streams": None}
        packed = pack(whole)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "agent.safetensors"
            return {
                "bytes": len(packed),
                "file_bytes": (agent.save(path), path.stat().st_size)[1],
                "environment_bytes": len(pack(env.state_dict())),
                "pack_s": seconds(lambda: pack(whole)),
                "unpack_s": seconds(lambda: unpack(packed)),
                "write_s": seconds(lambda: agent.save(path)),
            }


def island_speed(members: int = 16, timesteps: int = 1024) -> float:
    """Steps of instances per second that one core trains, stacked, in steady state."""

    def run(count: int) -> float:
        env = coterie.make_env("torch:CartPole-v1", num_envs=INSTANCES * members, seed=0)
        agents = [coterie.make_agent("ppo", env=env, seed=k, cfg=PPO) for k in range(members)]
        cfg = {"timesteps": count, "headless": True, "disable_progressbar": True}
        with coterie.make_trainer("fused", env=env, agents=agents, cfg=cfg) as trainer:
            trainer.train()
            start = time.perf_counter()
            trainer.train()
            return time.perf_counter() - start

    long, short = run(timesteps), run(timesteps // 4)
    return members * INSTANCES * (timesteps - timesteps // 4) / (long - short)


def ray_calls() -> dict[str, float]:
    """Seconds of the driver per call to an island on a local cluster, and to start one."""
    from coterie_backends_ray import RayHost, RayTrainerCfg

    cfg = RayTrainerCfg(address="local", islands=2, cpus=1)
    host = RayHost(cfg, 2)
    try:
        start = time.perf_counter()
        blueprint = _blueprint()
        for number in (0, 1):
            host.start(number, blueprint, again=False)
        _ask(host, "describe_nothing")
        started = time.perf_counter() - start
        wall = seconds(lambda: _ask(host, "describe_nothing"), 200)
        begin = time.process_time()
        for _ in range(200):
            _ask(host, "describe_nothing")
        busy = (time.process_time() - begin) / 400
    finally:
        host.close()
    return {"start_s": started, "round_trip_of_two_s": wall, "busy_s": busy}


def _blueprint() -> bytes:
    from coterie._islands.records import Blueprint

    return pack(
        Blueprint(
            about="an island",
            make=CountingEnv,
            num_envs=1,
            inside="sequential",
            cfg=coterie.TrainerCfg(timesteps=1),
        )
    )


def _ask(host: Any, name: str) -> None:
    """Call both islands with a name that neither knows: the answer is an error, but small."""
    waiting = [host.call(number, name, None) for number in (0, 1)]
    while waiting:
        for ticket in host.wait(waiting, 1.0):
            host.result(ticket)
            waiting.remove(ticket)


def seconds(what: Callable[[], Any], times: int = 20) -> float:
    """Median of the seconds that something takes."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        what()
        found.append(time.perf_counter() - start)
    return statistics.median(found)
