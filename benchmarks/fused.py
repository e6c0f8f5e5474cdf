"""The trainer ``fused`` against ``sequential``: PPO agents on CartPole, one thread.

Speeds come from paired runs: both trainers in turn, several times; the medians of the ratios are
told. Steady state is the difference of a long and a short run. Times are of the processor, so that
neighbours on the machine disturb less.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import time
from typing import Any

import psutil
import torch

import coterie
from coterie import Trainer

AGENT = {"rollouts": 128, "learning_epochs": 4, "mini_batches": 4}
ENVIRONMENTS = {"gymnasium": "gymnasium:CartPole-v1", "torch": "torch:CartPole-v1"}


def make(
    name: str, env: str, count: int, instances: int, timesteps: int, device: str = "cpu", **cfg: Any
) -> Trainer:
    """Make a trainer with PPO agents that differ in seed and learning rate."""
    where = {"device": device} if device != "cpu" else {}
    place = coterie.make_env(ENVIRONMENTS[env], num_envs=instances * count, seed=0, **where)
    compiled = {"compile_update": True} if "compile_rollout" in cfg else {}
    agents = [
        coterie.make_agent(
            "ppo",
            env=place,
            seed=seed,
            cfg={**AGENT, **compiled, "learning_rate": 1e-3 * (1 + seed / count)},
        )
        for seed in range(count)
    ]
    given = {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **cfg}
    return coterie.make_trainer(name, env=place, agents=agents, cfg=given)


def seconds(name: str, env: str, count: int, instances: int, timesteps: int) -> float:
    """Processor seconds of a second run: all memory is there."""
    with make(name, env, count, instances, timesteps) as made:
        made.train()
        start = time.process_time()
        made.train()
        return time.process_time() - start


def speed(name: str, env: str, count: int, instances: int, timesteps: int) -> float:
    """Environment steps per second, summed over the agents, in steady state."""
    short = seconds(name, env, count, instances, timesteps // 4)
    long = seconds(name, env, count, instances, timesteps)
    return instances * count * (timesteps - timesteps // 4) / (long - short)


def compare(env: str, count: int, instances: int, timesteps: int, repeats: int) -> dict[str, float]:
    """Compare both trainers in paired runs."""
    pairs = [
        [speed(name, env, count, instances, timesteps) for name in ("sequential", "fused")]
        for _ in range(repeats)
    ]
    middle = [statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
    return {
        "sequential, steps/s": round(middle[0]),
        "fused, steps/s": round(middle[1]),
        "ratio": round(statistics.median(pair[1] / pair[0] for pair in pairs), 2),
    }


def memory(env: str, instances: int) -> dict[str, float]:
    """MiB of this process that an agent adds to a fused population: 8 against 40 agents."""
    process = psutil.Process()
    kept, sizes = [], []
    for count in (2, 8, 40):
        trainer = make("fused", env, count, instances, 256)
        trainer.train()
        kept.append(trainer)
        sizes.append(process.memory_info().rss / 2**20)
    return {"MiB per agent": round((sizes[2] - sizes[1]) / 40, 2)}


def iteration(name: str, count: int, device: str, **cfg: Any) -> float:
    """Seconds of a rollout and its update, in steady state, by the clock on the wall."""
    taken = []
    length = AGENT["rollouts"]
    with make(name, "torch", count, 16, length, device, **cfg) as trainer:
        for _ in range(4):
            start = time.perf_counter()
            trainer.train()  # its end waits for the device
            taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def on_device(device: str, repeats: int) -> dict[str, dict[str, float]]:
    """Compare 64 fused agents with one, with 64 in turn, and CUDA graphs with single launches."""
    graphs = {"compile_rollout": 1, "smallest_stack": 1}
    cases = {
        "64 fused": ("fused", 64, graphs),
        "1 fused": ("fused", 1, graphs),
        "64 fused, single launches": ("fused", 64, {}),
        "64 in turn": ("sequential", 64, {}),
    }
    rounds = []
    for _ in range(repeats):
        seconds = {label: iteration(n, p, device, **cfg) for label, (n, p, cfg) in cases.items()}
        rounds.append(seconds)

    def ratio(over: str, under: str) -> float:
        return round(statistics.median(found[over] / found[under] for found in rounds), 2)

    return {
        "seconds": {
            label: round(statistics.median(found[label] for found in rounds), 4) for label in cases
        },
        "ratios": {
            "64 against 1": ratio("64 fused", "1 fused"),
            "in turn against fused": ratio("64 in turn", "64 fused"),
            "single launches against graphs": ratio("64 fused, single launches", "64 fused"),
        },
    }


def profile(env: str, count: int, instances: int, timesteps: int) -> None:
    """Print what a run spends its time on."""
    with make("fused", env, count, instances, timesteps) as trainer:
        trainer.train()
        profiler = cProfile.Profile()
        profiler.enable()
        trainer.train()
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main() -> None:
    """Run the cases that are named: ``agents x instances``, ``memory`` or a device's name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=["4x16", "16x16", "16x4"])
    parser.add_argument("--env", choices=ENVIRONMENTS, default="gymnasium")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--timesteps", type=int, default=2048)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for case in options.cases:
        if case == "memory":
            print(json.dumps({case: memory(options.env, 16)}), flush=True)
            continue
        if case.split(":")[0] in ("cuda", "cpu"):
            print(json.dumps({case: on_device(case, options.repeats)}), flush=True)
            continue
        count, instances = map(int, case.split("x"))
        if options.profile:
            profile(options.env, count, instances, options.timesteps)
        else:
            found = compare(options.env, count, instances, options.timesteps, options.repeats)
            print(json.dumps({case: found}), flush=True)


if __name__ == "__main__":
    main()
