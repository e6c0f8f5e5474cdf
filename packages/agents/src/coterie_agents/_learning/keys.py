"""Values to compare agents by, for stacking."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from gymnasium import spaces


def space_key(space: spaces.Space[Any] | None) -> Hashable:
    """Make a value that two spaces share if, and only if, they are equal.

    Args:
        space: Any space that environments have; ``None`` is allowed.
    """
    if isinstance(space, spaces.Dict):
        return "dict", tuple((name, space_key(part)) for name, part in space.spaces.items())
    if isinstance(space, spaces.Tuple):
        return "tuple", tuple(space_key(part) for part in space.spaces)
    if isinstance(space, spaces.Box):
        return "box", space.shape, str(space.dtype), space.low.tobytes(), space.high.tobytes()
    if isinstance(space, spaces.MultiDiscrete):
        return "choices", space.shape, str(space.dtype), space.nvec.tobytes(), space.start.tobytes()
    return repr(space)


def device_key(device: torch.device) -> str:
    """Name a device with its index: ``cuda`` and ``cuda:0`` are one where 0 is the current one."""
    if str(device) == "cuda":
        return f"cuda:{torch.cuda.current_device()}"
    return str(device)
