"""Bounded real actions, as algorithms with squashed policies see them: numbers from -1 to 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from coterie import ConfigError


class UnitActions:
    """Maps between the actions of a bounded Box and numbers from -1 to 1, and flattens them.

    Networks, memories, noise and entropies are all in these units, so that settings mean the
    same whatever the space's bounds are.

    Args:
        space: A Box of floating-point numbers with finite bounds.
        device: Where actions live.
        algorithm: Name of the algorithm, for messages.

    Raises:
        ConfigError: It is another space, or its bounds are not finite, or leave no room.

    Attributes:
        size: Numbers in one action.
    """

    def __init__(self, space: spaces.Space[Any], device: torch.device, algorithm: str) -> None:
        box = _bounded_box(space, algorithm)
        self.shape = tuple(box.shape)
        self.size = int(torch.Size(self.shape).numel())
        low, high = (torch.as_tensor(b, device=device).reshape(-1) for b in (box.low, box.high))
        self.dtype = low.dtype
        wide_low, wide_high = low.to(torch.float64), high.to(torch.float64)
        self._low, self._high = low, high
        self._middle = ((wide_low + wide_high) / 2).to(self.dtype)
        self._half = ((wide_high - wide_low) / 2).to(self.dtype)

    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Turn numbers from -1 to 1, ``[n, size]``, into the space's actions ``[n, ...]``."""
        scaled = torch.addcmul(self._middle, actions.to(self.dtype), self._half)
        # Rounding may leave the bounds by a hair.
        return scaled.clamp_(self._low, self._high).reshape(-1, *self.shape)

    def from_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Turn the space's actions ``[n, ...]`` into numbers from -1 to 1, ``[n, size]``."""
        flat = actions.reshape(-1, self.size).to(self.dtype)
        return ((flat - self._middle) / self._half).clamp_(-1, 1)


def _bounded_box(space: spaces.Space[Any], algorithm: str) -> spaces.Box:
    if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype, np.floating):
        raise ConfigError(
            f"{algorithm!r} needs a Box of floating-point numbers as its action space, got "
            f"{space}; for Discrete actions use 'dqn' or 'ppo', for MultiDiscrete and "
            "MultiBinary ones 'ppo'"
        )
    if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        raise ConfigError(
            f"{algorithm!r} squashes its actions into the bounds of the space, which must be "
            f"finite, got {space}; bound it with gymnasium.wrappers.RescaleAction or "
            "ClipAction, or use 'ppo', which needs no bounds"
        )
    if not (space.low < space.high).all():
        raise ConfigError(
            f"{algorithm!r} needs room between the bounds of every action, got {space}; leave "
            "out the actions that can't change"
        )
    return space
