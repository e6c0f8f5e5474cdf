"""The trainer ``ray`` on one machine against ``parallel``: PPO on CartPole, a core per island.

Both trainers take turns, several times; medians, and the median of the ratios, are told: of whole
runs, with the start of processes and of the cluster, and of second runs, whose processes are there.
What an exchange costs is the time that an island has nothing to do between two stretches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import torch

import coterie
from coterie import Trainer

AGENT = {"rollouts": 128, "learning_epochs": 4, "mini_batches": 4}


def make(name: str, env: str, count: int, instances: int, cfg: dict[str, Any]) -> Trainer:
    """Make a trainer with PPO agents that differ in their seeds."""
    place = coterie.make_env(env, num_envs=instances * count, seed=0)
    agents = [coterie.make_agent("ppo", env=place, seed=seed, cfg=AGENT) for seed in range(count)]
    quiet = {"headless": True, "disable_progressbar": True}
    return coterie.make_trainer(name, env=place, agents=agents, cfg={**quiet, **cfg})


def run(name: str, env: str, count: int, instances: int, cfg: dict[str, Any]) -> dict[str, float]:
    """Train twice; tell the steps per second of both runs, and what exchanges took."""
    steps, started = instances * count * cfg["timesteps"], time.perf_counter()
    with make(name, env, count, instances, cfg) as trainer:
        trainer.train()
        whole = time.perf_counter() - started
        started = time.perf_counter()
        summary = trainer.train()
        second = time.perf_counter() - started
    waited = summary.time_shares.get("members/exchange", 0.0) * summary.wall_time
    return {"whole": steps / whole, "second": steps / second, "waited": waited, "took": whole}


def compare(
    env: str, count: int, instances: int, timesteps: int, pairs: int, stretch: int | None
) -> dict[str, Any]:
    """Compare both trainers in paired runs."""
    cores = {"islands": min(2, count), "stretch": stretch}
    settings: dict[str, dict[str, Any]] = {"parallel": {"processes": min(2, count)}, "ray": cores}
    found: list[dict[str, dict[str, float]]] = []
    for _ in range(pairs):
        found.append(
            {
                name: run(name, env, count, instances, {"timesteps": timesteps, **own})
                for name, own in settings.items()
            }
        )
    told: dict[str, Any] = {
        f"{name}, {what}": round(statistics.median(pair[name][what] for pair in found))
        for name in settings
        for what in ("whole", "second", "took")
    }
    for what in ("whole", "second"):
        ratios = [pair["ray"][what] / pair["parallel"][what] for pair in found]
        told[f"ratio, {what}"] = round(statistics.median(ratios), 2)
    if stretch is not None:
        waits = [1e3 * pair["ray"]["waited"] / (timesteps / stretch) for pair in found]
        told["ms per exchange"] = round(statistics.median(waits), 2)
    return told


def main() -> None:
    """Compare the cases that are named ``agents x instances``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=["2x16", "4x16"])
    parser.add_argument("--env", default="gymnasium:CartPole-v1")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--timesteps", type=int, default=20_000)
    parser.add_argument("--stretch", type=int, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for case in options.cases:
        count, instances = map(int, case.split("x"))
        found = compare(
            options.env, count, instances, options.timesteps, options.pairs, options.stretch
        )
        print(json.dumps({f"{options.env} {case}": found}), flush=True)


if __name__ == "__main__":
    main()
