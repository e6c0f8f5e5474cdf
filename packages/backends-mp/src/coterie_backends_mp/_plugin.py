"""What this distribution offers to the registry. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import TrainerPlugin, hookimpl

from ._cfg import ParallelTrainerCfg


def _parallel() -> type[Any]:
    from ._trainer import ParallelTrainer

    return ParallelTrainer


def _anticipate(experiment: Any) -> None:
    from ._warm import anticipate

    anticipate(experiment)


@hookimpl
def coterie_trainers() -> Iterable[TrainerPlugin]:
    """Offer the parallel trainer."""
    yield TrainerPlugin(
        name="parallel",
        summary="a process per agent, one round trip per environment step",
        config=ParallelTrainerCfg,
        loader=_parallel,
        anticipate=_anticipate,
    )
