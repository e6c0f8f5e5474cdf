"""gym's spaces, which VMAS has, as gymnasium's."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from coterie import ConfigError


def to_gymnasium(space: Any, name: str) -> spaces.Space[Any]:
    """Turn a space of gym into one of gymnasium; gym itself is not imported.

    Args:
        space: The space.
        name: Whose it is, for messages.

    Raises:
        ConfigError: It is of another kind than VMAS has.
    """
    kind = type(space).__name__
    if kind == "Box":
        low, high = np.asarray(space.low), np.asarray(space.high)
        return spaces.Box(low, high, space.shape, space.dtype)
    if kind == "Discrete":
        return spaces.Discrete(int(space.n))
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(np.asarray(space.nvec, np.int64))
    if kind == "Dict":
        parts = space.spaces.items()
        return spaces.Dict([(key, to_gymnasium(part, f"{name}.{key}")) for key, part in parts])
    raise ConfigError(f"{name} is {space}; expected a Box, Discrete, MultiDiscrete or Dict")
