"""Speed of the torch-native environments, over instances and threads.

Measured is ``step`` alone, with random actions that were drawn before, in microseconds per call
(the best mean over 16 calls) and steps of instances per second; beside it gymnasium's vectorised
CartPole. Prints a JSON object; run it in a quiet moment.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import torch
from gymnasium import spaces

import coterie

CALLS = 16


def best_microseconds(step: Callable[[Any], Any], actions: Sequence[Any], seconds: float) -> float:
    """Time per call, of the fastest round through the actions."""
    for action in actions:
        step(action)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for action in actions:
            step(action)
        best = min(best, time.perf_counter() - start)
    return best / len(actions) * 1e6


def draw_actions(space: spaces.Space[Any], count: int) -> list[torch.Tensor]:
    """Random actions of ``count`` instances, for each of the calls."""
    if isinstance(space, spaces.Discrete):
        return [torch.randint(int(space.n), (count,)) for _ in range(CALLS)]
    return [torch.rand(count, *(space.shape or ())) * 2 - 1 for _ in range(CALLS)]


def measure(name: str, count: int, device: str, seconds: float) -> float:
    """Microseconds per step of a torch-native environment."""
    env = coterie.make_env(name, num_envs=count, seed=0, device=device)
    env.reset()
    actions = [action.to(device) for action in draw_actions(env.action_space, count)]

    def step(action: torch.Tensor) -> None:
        env.step(action)
        if device != "cpu":
            torch.cuda.synchronize()

    return best_microseconds(step, actions, seconds)


def measure_gymnasium(count: int, seconds: float) -> float:
    """Microseconds per step of gymnasium's vectorised CartPole."""
    env = gymnasium.make_vec("CartPole-v1", count, vectorization_mode="vector_entry_point")
    env.reset(seed=0)
    actions = [action.numpy() for action in draw_actions(spaces.Discrete(2), count)]
    return best_microseconds(env.step, actions, seconds)


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envs", nargs="+", default=["torch:CartPole-v1"])
    parser.add_argument("--num-envs", nargs="+", type=int, default=[64, 1024, 65536])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    found = []
    for count in options.num_envs:
        rows = [("gymnasium:CartPole-v1", 1, measure_gymnasium(count, options.seconds))]
        for threads in options.threads:
            torch.set_num_threads(threads)
            for name in options.envs:
                time_of = measure(name, count, options.device, options.seconds)
                rows.append((name, threads, time_of))
        for name, threads, microseconds in rows:
            row = {"env": name, "num_envs": count, "threads": threads}
            row["microseconds"] = round(microseconds, 1)
            row["million_steps_per_second"] = round(count / microseconds, 3)
            found.append(row)
            print(json.dumps(row), flush=True)
    print(json.dumps({"rows": found}))


if __name__ == "__main__":
    main()
