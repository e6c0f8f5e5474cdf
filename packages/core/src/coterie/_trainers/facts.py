"""What a trainer tells of itself: to people, and to the file of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .._config.structure import unstructure
from .._controllers.interface import Controller
from .._envs.interface import VectorEnv
from .._executors.interface import Mode
from .._runs.directory import RunDirectory
from .._runs.records import RunInfo
from .cfg import TrainerCfg
from .members import Member
from .population import member_info


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


def run_info(
    mode: Mode,
    trainer: str,
    env: VectorEnv,
    members: Sequence[Member],
    span: tuple[int, int],
    directory: RunDirectory | None,
) -> RunInfo:
    """Describe a run for loggers and hooks; ``span`` is where its timesteps start and end."""
    first, stop = span
    return RunInfo(
        mode=mode,
        trainer=trainer,
        environment=env.name,
        num_envs=env.num_envs,
        first_timestep=first,
        timesteps=stop,
        members=tuple(member_info(member) for member in members),
        directory=None if directory is None else directory.path,
    )


def run_facts(
    env: VectorEnv, cfg: TrainerCfg, controllers: Sequence[Controller] = ()
) -> dict[str, Any]:
    """Tell what a run's file says of settings and environment, as plain values."""
    return {
        "trainer_settings": unstructure(cfg),
        "controllers": [
            {"name": controller.kind, "settings": unstructure(controller.cfg)}
            for controller in controllers
        ],
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
