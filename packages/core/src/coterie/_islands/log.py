"""What happens in a stretch."""

from __future__ import annotations

from typing import Any

import torch

from .._agents.transition import Transition
from .records import Failure

_OUTCOME = ("rewards", "terminated", "truncated", "valid", "ended")


class Log:
    """What happens in a stretch.

    Attributes:
        steps: How many timesteps were done.
        failures: Members that failed.
        metrics: By number of timesteps done, scalars by the member's index.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.failures: list[Failure] = []
        self.metrics: dict[int, Any] = {}
        self._parts: dict[str, list[Any]] = {}

    def add(self, transition: Transition[Any]) -> None:
        """Note a step."""
        self.steps += 1
        for name in _OUTCOME:
            part = getattr(transition, name)
            if part is not None and not (name == "valid" and transition.all_valid):
                self._parts.setdefault(name, []).append(part)

    def outcome(self) -> dict[str, Any]:
        """Stack what was noted: arrays ``[steps, n]``, or dicts by actor of such."""
        return {name: _stack(parts) for name, parts in self._parts.items()}


def _stack(parts: list[Any]) -> Any:
    if not isinstance(parts[0], dict):
        return torch.stack(parts).cpu().numpy()
    return {name: _stack([part[name] for part in parts]) for name in parts[0]}
