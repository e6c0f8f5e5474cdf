"""Where the episodes of an environment in skrl's wrappers ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from skrl.utils.spaces.torch import flatten_tensorized_space, tensorize_space


def reset_mode(wrapper: Any) -> tuple[AutoresetMode, bool]:
    """Find how a wrapped environment resets its instances.

    Args:
        wrapper: The wrapper.

    Returns:
        The mode for Coterie, and whether resets are asked for with a mask of instances: an
        instance that would be reset in the next step can be reset at once in gymnasium's own
        vector environments, so that no step is wasted.
    """
    if wrapper.num_envs == 1 and not getattr(wrapper, "_vectorized", False):
        single = not hasattr(wrapper, "_reset_once")
        return (AutoresetMode.DISABLED if single else AutoresetMode.SAME_STEP), False
    env = wrapper._env
    if not isinstance(env, VectorEnv):
        return AutoresetMode.SAME_STEP, False
    mode = (env.metadata or {}).get("autoreset_mode")
    if mode in (AutoresetMode.SAME_STEP, AutoresetMode.SAME_STEP.value):
        return AutoresetMode.SAME_STEP, False
    own = type(env.unwrapped) in (SyncVectorEnv, AsyncVectorEnv)
    if own:
        return AutoresetMode.DISABLED, True
    return AutoresetMode.NEXT_STEP, False


def has_own_streams(wrapper: Any) -> bool:
    """Whether each instance of a wrapped environment has a random stream of its own."""
    env = wrapper._env
    if isinstance(env, VectorEnv):
        return isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv)
    return bool(wrapper.num_envs == 1)


def final_matrix(wrapper: Any, infos: Any, observations: torch.Tensor) -> torch.Tensor | None:
    """Find the final observations of the episodes that a same-step reset ended.

    Args:
        wrapper: The wrapper.
        infos: What its environment told.
        observations: Observations after the reset, ``[n, size]``.

    Returns:
        ``[n, size]``, whose rows matter where episodes ended; ``None``: nothing was told.
    """
    found = infos.get("final_obs", infos.get("final_observation"))
    if found is None:
        return None
    if isinstance(found, Mapping) and "policy" in found:  # Isaac Lab's groups
        found = found["policy"]
    if isinstance(found, np.ndarray) and found.dtype == object:
        return _from_rows(wrapper, found, observations)
    return _matrix(wrapper, found)


def _from_rows(wrapper: Any, rows: Any, observations: torch.Tensor) -> torch.Tensor:
    """Put gymnasium's rows, ``None`` where no episode ended, into a copy of the observations."""
    matrix = observations.clone()
    for place, row in enumerate(rows):
        if row is not None:
            matrix[place] = _matrix(wrapper, row)[0]
    return matrix


def _matrix(wrapper: Any, value: Any) -> torch.Tensor:
    tensors = tensorize_space(wrapper.observation_space, value, device=wrapper.device)
    return flatten_tensorized_space(tensors)  # type: ignore[no-any-return]
