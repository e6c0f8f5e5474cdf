"""Weights & Biases' part of the process: started when it is needed, gone afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

_SERVICE = "WANDB_SERVICE"


class WandbService:
    """Remembers how the process was before W&B started its service.

    W&B runs a process beside ours, and puts functions of its own in the place of
    ``sys.excepthook`` and ``sys.exit``.

    Args:
        wandb: The module.
    """

    def __init__(self, wandb: Any) -> None:
        self._wandb = wandb
        self._ours = _SERVICE not in os.environ
        self._hooks = sys.excepthook, sys.exit

    def stop(self, own: Sequence[Any]) -> None:
        """End the service, unless it was there before or somebody else has a run in it.

        Args:
            own: The runs that are ours, in any state.
        """
        if not self._ours or self._in_use(own):
            return
        self._ours = False
        try:
            self._wandb.teardown()
        finally:
            sys.excepthook, sys.exit = self._hooks

    def _in_use(self, own: Sequence[Any]) -> bool:
        latest = getattr(self._wandb.setup(), "most_recent_active_run", None)
        found = [getattr(self._wandb, "run", None), latest]
        return any(run is not None and not any(run is one for one in own) for run in found)
