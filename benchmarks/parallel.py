"""The trainer ``parallel`` against ``sequential``, its start-up, and what its workers weigh.

Speeds come from paired runs: both trainers in turn, several times; the medians of the ratios are
told. Steady state is the difference of a long and a short run. Run it in a quiet moment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

import coterie
from coterie import Trainer
from coterie_backends_mp import WorkerServer

ENV = "gymnasium:CartPole-v1"
INSTANCES = 16
SMALL = {"rollouts": 128, "learning_epochs": 4, "mini_batches": 4}


def make(trainer: str, count: int, timesteps: int, agent: dict[str, Any], **more: Any) -> Trainer:
    """Make a trainer with PPO agents of 16 instances each, one thread per process."""
    env = coterie.make_env(ENV, num_envs=INSTANCES * count, seed=0)
    agents = [coterie.make_agent("ppo", env=env, seed=seed, cfg=agent) for seed in range(count)]
    cfg: dict[str, Any] = {"timesteps": timesteps, "headless": True, "disable_progressbar": True}
    if trainer == "parallel":
        cfg["threads"] = 1
    cfg |= more
    return coterie.make_trainer(trainer, env=env, agents=agents, cfg=cfg)


def seconds(trainer: str, count: int, timesteps: int, agent: dict[str, Any]) -> float:
    """Seconds of a second run: everything has started, all memory is there.

    Metrics are written once per rollout: by default they would be 200 times per run, however
    short it is.
    """
    with make(trainer, count, timesteps, agent, metrics_interval=SMALL["rollouts"]) as made:
        made.train()
        start = time.perf_counter()
        made.train()
        return time.perf_counter() - start


def speed(trainer: str, count: int, timesteps: int, agent: dict[str, Any]) -> float:
    """Environment steps per second, summed over the agents, in steady state."""
    short = seconds(trainer, count, timesteps // 4, agent)
    long = seconds(trainer, count, timesteps, agent)
    return INSTANCES * count * (timesteps - timesteps // 4) / (long - short)


def ratios(pairs: list[list[float]]) -> dict[str, Any]:
    """The second of each pair over the first: the median, and all of them."""
    found = sorted(second / first for first, second in pairs)
    return {"ratio": round(statistics.median(found), 2), "of": [round(x, 2) for x in found]}


def against_sequential(
    count: int, timesteps: int, repeats: int, agent: dict[str, Any]
) -> dict[str, Any]:
    """Compare with ``sequential`` in paired runs."""
    pairs = []
    for _ in range(repeats):
        pairs.append([speed(name, count, timesteps, agent) for name in ("sequential", "parallel")])
    middle = [statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
    return {
        "sequential, steps/s": round(middle[0]),
        "parallel, steps/s": round(middle[1]),
        **ratios(pairs),
    }


def beside_a_neighbour(
    count: int, timesteps: int, repeats: int, agent: dict[str, Any]
) -> dict[str, Any]:
    """Compare the trainer ``parallel`` with itself while another program keeps a core busy."""
    pairs = []
    for _ in range(repeats):
        quiet = speed("parallel", count, timesteps, agent)
        neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            pairs.append([quiet, speed("parallel", count, timesteps, agent)])
        finally:
            neighbour.kill()
            neighbour.wait()
    middle = [statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
    return {
        "quiet, steps/s": round(middle[0]),
        "beside a neighbour, steps/s": round(middle[1]),
        **ratios(pairs),
    }


def start_up(count: int, repeats: int) -> dict[str, float]:
    """Seconds to the first actions, and memory per worker."""
    cold, warm, weights = [], [], []
    for _ in range(repeats):
        with make("parallel", count, 1, SMALL) as trainer:
            cold.append(first_actions(trainer))
        with WorkerServer() as server, make("parallel", count, 1, SMALL) as trainer:
            server.wait_ready()
            warm.append(first_actions(trainer))
            weights.append(statistics.mean(pss(pid) for pid in worker_pids(trainer)))
    return {
        "to the first actions, s": round(statistics.median(cold), 3),
        "with a warm server, s": round(statistics.median(warm), 3),
        "MiB per worker": round(statistics.median(weights), 1),
    }


def first_actions(trainer: Trainer) -> float:
    """Seconds that a run of one timestep takes."""
    start = time.perf_counter()
    trainer.train()
    return time.perf_counter() - start


def worker_pids(trainer: Any) -> list[int]:
    """Process ids of the workers."""
    return [process.pid for process in trainer._executor._crew.processes.values()]


def pss(pid: int) -> float:
    """Proportional set size of a process in MiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        found = [line.split() for line in file if line.startswith("Pss:")]
    return int(found[0][1]) / 1024


def as_a_user_meets_it(count: int, early: bool) -> dict[str, float]:
    """1,000 timesteps, start-up included, threads at their defaults.

    Args:
        count: Number of agents.
        early: Whether the program has made a server beforehand, beside its imports.
    """
    with WorkerServer() if early else nullcontext() as server:
        if server is not None:
            server.wait_ready()
        trainer = make("parallel", count, 1000, SMALL)
        start = time.perf_counter()
        trainer.train()
        taken = time.perf_counter() - start
        trainer.close()
    return {"seconds": round(taken, 2), "steps/s": round(1000 * INSTANCES * count / taken)}


def main() -> None:
    """Run the cases that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--timesteps", type=int, default=2048)
    options = parser.parse_args()
    repeats, steps = options.repeats, options.timesteps
    wide = {**SMALL, "model": {"hidden_sizes": [512, 512]}}
    long = {**wide, "learning_epochs": 10}
    cases: dict[str, Callable[[], dict[str, Any]]] = {
        "2-agents": lambda: against_sequential(2, steps, repeats, SMALL),
        "4-agents": lambda: against_sequential(4, steps, repeats, SMALL),
        "2-wide-agents": lambda: against_sequential(2, steps // 4, repeats, wide),
        "2-wide-agents-long": lambda: against_sequential(2, steps // 4, repeats, long),
        "neighbour": lambda: beside_a_neighbour(2, steps, repeats, SMALL),
        "start-4": lambda: start_up(4, repeats),
        "start-16": lambda: start_up(16, repeats),
        "user-4": lambda: as_a_user_meets_it(4, early=False),
        "user-4-early": lambda: as_a_user_meets_it(4, early=True),
    }
    torch.set_num_threads(1)
    for name in options.cases or cases:
        print(json.dumps({name: cases[name]()}), flush=True)


if __name__ == "__main__":
    main()
