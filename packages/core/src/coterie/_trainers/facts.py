"""What a trainer tells of itself: to people, and to the file of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .._config.structure import unstructure
from .._envs.interface import VectorEnv
from .cfg import TrainerCfg
from .members import Member


def describe(name: str, env: VectorEnv, members: Sequence[Member]) -> str:
    """Write a trainer's class, its environment and its members, in lines."""
    lines = [f"{name} on {env.name} ({env.num_envs} instances)"]
    for member in members:
        lines.append(
            f"  {member.name}: {member.agent.kind}, {member.num_envs} instances "
            f"({member.scope.start} to {member.scope.stop - 1}), seed {member.seed}, "
            f"{member.device}, {member.status}"
        )
    return "\n".join(lines)


def run_facts(env: VectorEnv, cfg: TrainerCfg) -> dict[str, Any]:
    """Tell what a run's file says of settings and environment, as plain values."""
    return {
        "trainer_settings": unstructure(cfg),
        "torch_threads": torch.get_num_threads(),
        "environment": {
            "name": env.name,
            "num_envs": env.num_envs,
            "device": str(env.device),
            "seed": env.seed,
            "autoreset_mode": env.autoreset_mode.value,
            "independent_streams": env.independent_streams,
        },
    }
