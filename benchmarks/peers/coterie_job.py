"""The job under Coterie: prints a JSON object with the seconds.

N PPO agents on CartPole-v1 with 16 instances each unless told otherwise, separate 64x64 tanh
networks, rollouts of 128 steps, 4 epochs of 4 mini-batches. Nothing is written to disk.
"""

from __future__ import annotations

import argparse
import json
import time

import torch

import coterie


def main() -> None:
    """Train, and print the seconds that ``train()`` took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trainer", default="parallel")
    parser.add_argument("--env", default="gymnasium:CartPole-v1")
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--instances", type=int, default=16)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--compile", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    count = chosen.agents
    env = coterie.make_env(chosen.env, num_envs=chosen.instances * count, seed=0)
    settings = {
        "rollouts": 128,
        "learning_epochs": 4,
        "mini_batches": 4,
        "learning_rate": 1e-3,
        "compile_update": bool(chosen.compile),
        "model": {"hidden_sizes": [chosen.width, chosen.width], "activation": "tanh"},
    }
    agents = [coterie.make_agent("ppo", env=env, seed=k, cfg=settings) for k in range(count)]
    cfg = {"timesteps": chosen.steps, "headless": True, "disable_progressbar": True}
    if chosen.trainer == "parallel" and chosen.threads:
        cfg["threads"] = chosen.threads
    if chosen.processes:
        cfg |= {"inside": "fused", "processes": chosen.processes}
    if chosen.compile:  # once before the time counts
        once = {**cfg, "timesteps": 128}
        first = coterie.make_trainer(chosen.trainer, env=env, agents=agents, cfg=once)
        first.train()
        first.close()
    start = time.perf_counter()
    trainer = coterie.make_trainer(chosen.trainer, env=env, agents=agents, cfg=cfg)
    trainer.train()
    print(json.dumps({"seconds": time.perf_counter() - start}))
    trainer.close()


if __name__ == "__main__":
    main()
