"""What an environment adapter adds to a step over the bare library.

Each pair steps the bare library and the adapter in turn, in blocks, so that whatever else the
machine does hits both alike. The actions are ready beforehand, as arrays for the one and tensors
for the other. Reported are medians over the blocks, in microseconds per step of all instances::

    python benchmarks/envs.py --num-envs 64
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch

import coterie

BLOCK = 200


def timed(step: Callable[[Any], Any], actions: list[Any]) -> float:
    """Return microseconds per step over one block."""
    start = time.perf_counter()
    for action in actions:
        step(action)
    return (time.perf_counter() - start) / len(actions) * 1e6


def compare(bare: Any, env: coterie.VectorEnv, blocks: int) -> tuple[list[float], list[float]]:
    """Time blocks of steps of both, in turn; the one that begins changes."""
    generator = np.random.default_rng(0)
    arrays = [generator.integers(0, 2, env.num_envs) for _ in range(BLOCK)]
    tensors = [torch.from_numpy(array) for array in arrays]
    bare.reset()
    env.reset(seed=0)
    found: tuple[list[float], list[float]] = ([], [])
    runs = ((bare.step, arrays), (env.step, tensors))
    for block in range(blocks + 1):
        for which in (0, 1) if block % 2 else (1, 0):
            spent = timed(*runs[which])
            if block:  # the first one warms up
                found[which].append(spent)
    return found


def pairs(num_envs: int) -> dict[str, tuple[Any, coterie.VectorEnv]]:
    """Make the bare libraries' environments and ours; those that are installed."""
    found: dict[str, tuple[Any, coterie.VectorEnv]] = {
        "gymnasium, vector_entry_point": (
            gymnasium.make_vec("CartPole-v1", num_envs, "vector_entry_point"),
            coterie.make_env("gymnasium:CartPole-v1", num_envs=num_envs),
        ),
    }
    try:
        import envpool
    except ImportError:
        return found
    found["EnvPool"] = (
        envpool.make_gymnasium("CartPole-v1", num_envs=num_envs, num_threads=1),
        coterie.make_env("envpool:CartPole-v1", num_envs=num_envs, num_threads=1),
    )
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=40)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"CartPole-v1, {given.num_envs} instances, {given.blocks} blocks of {BLOCK} steps")
    print(f"{'':<30} {'bare':>9} {'coterie':>9} {'added':>9}  µs per step, medians")
    for name, (bare, env) in pairs(given.num_envs).items():
        alone, adapted = compare(bare, env, given.blocks)
        added = statistics.median(b - a for a, b in zip(alone, adapted, strict=True))
        row = (statistics.median(alone), statistics.median(adapted), added)
        print(f"{name:<30} " + " ".join(f"{value:9.1f}" for value in row))


if __name__ == "__main__":
    main()
