"""What core itself offers, through the same hooks as everybody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._trainers.cfg import TrainerCfg
from .plugins import LoggerPlugin, TrainerPlugin, hookimpl


def _sequential() -> type[Any]:
    from ._trainers.sequential import SequentialTrainer

    return SequentialTrainer


def _step() -> type[Any]:
    from ._trainers.step import StepTrainer

    return StepTrainer


@hookimpl
def coterie_trainers() -> Iterable[TrainerPlugin]:
    """Offer the trainers that live in the caller's process."""
    yield TrainerPlugin(
        name="sequential",
        summary="every member in turn, in the caller's process",
        config=TrainerCfg,
        loader=_sequential,
    )
    yield TrainerPlugin(
        name="step",
        summary="like sequential, but the caller performs each timestep",
        config=TrainerCfg,
        loader=_step,
    )


@hookimpl
def coterie_loggers() -> Iterable[LoggerPlugin]:
    """Offer the loggers that come with core."""
    from ._loggers.plugins import PLUGINS

    yield from PLUGINS
