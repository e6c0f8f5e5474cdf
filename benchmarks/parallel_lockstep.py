"""Lock-step overhead: how long a timestep takes when the agents do nothing.

Measured is :meth:`Executor.advance` alone, with 16 instances per agent, in microseconds. Prints a
JSON object; run it in a quiet moment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any, ClassVar

import torch

from coterie import Agent, Member, Transition
from coterie.testing import CountingEnv
from coterie_backends_mp import ParallelTrainerCfg, ProcessExecutor, WorkerServer


class IdleAgent(Agent):
    """Always answers the same actions and learns nothing."""

    uses_global_generators: ClassVar[bool] = False
    uses_infos: ClassVar[bool] = False
    keeps_transitions: ClassVar[bool] = False

    def setup(self, num_envs: int) -> None:
        """Make the actions."""
        super().setup(num_envs)
        self.actions = torch.zeros(num_envs, dtype=torch.int64)

    def act(self, observations: Any, **_: Any) -> Any:
        """Return the actions."""
        return self.actions

    def record_transition(self, transition: Transition, **_: Any) -> None:
        """Do nothing."""


def population(env: CountingEnv, count: int) -> list[Member]:
    """Make members of equal scopes with idle agents."""
    size = env.num_envs // count
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    return [
        Member(
            index=index,
            name=f"idle-{index}",
            agent=IdleAgent(**spaces, seed=index),
            scope=slice(index * size, (index + 1) * size),
        )
        for index in range(count)
    ]


def measure(count: int, steps: int) -> dict[str, float]:
    """Time ``steps`` timesteps of ``count`` workers; return median and percentiles in µs."""
    env = CountingEnv(16 * count)
    observations, _ = env.reset(seed=0)
    cfg = ParallelTrainerCfg(threads=1)
    executor = ProcessExecutor(cfg)
    executor.open(population(env, count), env.interface, "train", cfg)
    actions = executor.begin(observations, None, timestep=0, timesteps=steps, cut=False)
    flags = torch.zeros(env.num_envs, dtype=torch.bool)
    transition = Transition(
        observations=observations,
        actions=actions,
        rewards=torch.zeros(env.num_envs),
        next_observations=observations,
        terminated=flags,
        truncated=flags,
        valid=~flags,
    )
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        executor.advance(transition, observations, None)
        times.append((time.perf_counter() - start) * 1e6)
    shares = {key: value / steps * 1e6 for key, value in executor.timings().items()}
    executor.close()
    times.sort()
    result = {"median": statistics.median(times), "p99": times[int(0.99 * steps)]}
    return {key: round(value, 1) for key, value in {**result, **shares}.items()}


def main() -> None:
    """Measure 1, 2, 4 and 8 workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with WorkerServer():
        results = {count: measure(count, arguments.steps) for count in arguments.workers}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
