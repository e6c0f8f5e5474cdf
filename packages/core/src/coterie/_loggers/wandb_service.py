"""Weights & Biases' part of the process: started when it is needed, gone afterwards."""

from __future__ import annotations

import os
import sys
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

    def stop(self) -> None:
        """End the service, unless it was there before or somebody else has a run in it."""
        if not self._ours or self._in_use():
            return
        self._ours = False
        self._wandb.teardown()
        sys.excepthook, sys.exit = self._hooks

    def _in_use(self) -> bool:
        if getattr(self._wandb, "run", None) is not None:
            return True
        return getattr(self._wandb.setup(), "most_recent_active_run", None) is not None
