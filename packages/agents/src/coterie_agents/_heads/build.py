"""Find the distribution that fits an action space."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from coterie import ConfigError

from .bernoulli import BernoulliHead
from .categorical import CategoricalHead
from .gaussian import GaussianHead
from .interface import Head


def build_head(space: spaces.Space[Any], device: torch.device) -> Head:
    """Make the head for an action space.

    Raises:
        ConfigError: PPO has no distribution for this space.
    """
    if isinstance(space, spaces.Discrete):
        return CategoricalHead((int(space.n),), (int(space.start),), (), device)
    if isinstance(space, spaces.MultiDiscrete):
        counts = tuple(int(count) for count in np.asarray(space.nvec).reshape(-1))
        starts = tuple(int(start) for start in np.asarray(space.start).reshape(-1))
        return CategoricalHead(counts, starts, tuple(space.shape), device)
    if isinstance(space, spaces.MultiBinary):
        return BernoulliHead(tuple(space.shape), _dtype(space))
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        low = torch.as_tensor(space.low, device=device)
        high = torch.as_tensor(space.high, device=device)
        return GaussianHead(tuple(space.shape), _dtype(space), low, high)
    raise ConfigError(
        f"no policy for the action space {space}: allowed are Discrete, MultiDiscrete, "
        "MultiBinary and Box of floating-point numbers; bring other spaces to one of these with "
        "a wrapper of the environment, for example a Dict or Tuple of Discrete to MultiDiscrete"
    )


def _dtype(space: spaces.Space[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype=space.dtype)).dtype
