"""What this distribution offers to the registry. Free of torch and Ray."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import TrainerPlugin, hookimpl

from ._cfg import RayTrainerCfg


def _ray() -> type[Any]:
    from ._trainer import RayTrainer

    return RayTrainer


@hookimpl
def coterie_trainers() -> Iterable[TrainerPlugin]:
    """Offer the trainer for clusters."""
    yield TrainerPlugin(
        name="ray",
        summary="islands of members on a Ray cluster, each with an environment of its own",
        config=RayTrainerCfg,
        loader=_ray,
    )
