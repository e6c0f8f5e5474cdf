"""The job under Coterie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from _settings import (
    CLIP,
    DISCOUNT,
    ENV,
    EPOCHS,
    FOREVER,
    GAE_LAMBDA,
    GRAD_NORM,
    LEARNING_RATE,
    MINI_BATCHES,
    ROLLOUTS,
    VALUE_SCALE,
    WIDTHS,
)
from _watch import Watch, read_case, watched

import coterie
from coterie.plugins import hookimpl, register

PPO = {
    "rollouts": ROLLOUTS,
    "learning_epochs": EPOCHS,
    "mini_batches": MINI_BATCHES,
    "learning_rate": LEARNING_RATE,
    "discount_factor": DISCOUNT,
    "gae_lambda": GAE_LAMBDA,
    "ratio_clip": CLIP,
    "value_clip": 0.0,
    "grad_norm_clip": GRAD_NORM,
    "value_loss_scale": VALUE_SCALE,
    "value_normalization": False,
    "model": {"hidden_sizes": list(WIDTHS), "activation": "tanh"},
}


def settings(case: dict[str, Any]) -> dict[str, Any]:
    """Choose the trainer's settings."""
    cfg: dict[str, Any] = {
        "timesteps": case["timesteps"] or FOREVER,
        "headless": True,
        "disable_progressbar": True,
        "close_environment_at_exit": False,
    }
    if case["trainer"] == "parallel":
        cfg |= {"start_timeout": case["limit"]}
        if case["threads"]:
            cfg |= {"threads": case["threads"]}
    if case.get("inside"):
        cfg |= {"inside": case["inside"], "processes": "auto"}
    if case.get("rollout"):
        cfg |= {"compile_rollout": case["rollout"], "smallest_stack": 1}
        cfg |= {"metrics_interval": ROLLOUTS}
    return cfg


class Ends:
    """A plugin that lets a watch see the ends of rollouts, where nobody sees the steps."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        watch.done(0)

    @hookimpl
    def coterie_metrics_ready(self, rows: Sequence[coterie.MetricRow]) -> None:
        """Note the end of a rollout, and of the update after it."""
        self._watch.done(rows[0].timestep)


def main() -> None:
    """Train until it is enough."""
    case = read_case()
    if case["threads"]:
        torch.set_num_threads(case["threads"])
    compiled = bool(case.get("compile"))
    # The second rollout of compiled code still fills caches.
    watch = Watch(case, ["coterie-core", "torch", "gymnasium"], warm_up=2 if compiled else 1)
    count, seed = case["agents"], case["seed"]
    together = {"num_envs": case["instances"] * count, "seed": seed, "device": case["device"]}
    env = coterie.make_env(f"{case['env']}:{ENV}", **together)
    if not case.get("rollout"):
        env = watched(env, watch)
    ppo = {**PPO, "compile_update": compiled}
    agents = [
        coterie.make_agent("ppo", env=env, seed=1000 * seed + k, cfg=ppo) for k in range(count)
    ]
    cfg = settings(case)
    trainer = coterie.make_trainer(case["trainer"], env=env, agents=agents, cfg=cfg)
    with watch.turn():
        if case.get("rollout"):
            register(Ends(watch))
        if case["trainer"] == "step":
            for _ in range(cfg["timesteps"]):
                trainer.train()
        else:
            trainer.train()
    watch.finish()


if __name__ == "__main__":
    main()
