"""What this distribution offers to the registry. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import TrainerPlugin, hookimpl

from ._cfg import FusedTrainerCfg


def _fused() -> type[Any]:
    from ._trainer import FusedTrainer

    return FusedTrainer


@hookimpl
def coterie_trainers() -> Iterable[TrainerPlugin]:
    """Offer the fused trainer."""
    yield TrainerPlugin(
        name="fused",
        summary="agents of one architecture stacked and trained as one",
        config=FusedTrainerCfg,
        loader=_fused,
    )
