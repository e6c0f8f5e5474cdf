"""JAX's arrays and torch's tensors, each from the other, in the same memory."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import torch
from gymnasium import spaces

from coterie import ConfigError


def jax_device(device: torch.device) -> Any:
    """Find JAX's name for a device of torch.

    Raises:
        ConfigError: JAX does not have it.
    """
    platform = "gpu" if device.type == "cuda" else device.type
    try:
        return jax.devices(platform)[device.index or 0]
    except (RuntimeError, IndexError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"device = {str(device)!r}: JAX, as it is installed here, does not have it ({reason})"
        ) from error


def to_tensors(tree: Any) -> Any:
    """Hand arrays over to torch, through dlpack; they share their memory.

    The arrays are waited for. JAX never writes to an array again, and neither must anybody
    write to the tensors.
    """
    jax.block_until_ready(tree)
    return jax.tree.map(torch.utils.dlpack.from_dlpack, tree)


def to_array(tensor: torch.Tensor, device: Any) -> Any:
    """Hand a tensor over to JAX, through dlpack; it shares its memory where JAX can do that."""
    array = jax.dlpack.from_dlpack(tensor.detach().contiguous())
    return array if array.device == device else jax.device_put(array, device)


def space_of(shapes: Any) -> spaces.Space[Any]:
    """Describe one instance's observation by the shapes and dtypes of its arrays."""
    if isinstance(shapes, dict) or hasattr(shapes, "items"):
        return spaces.Dict({str(key): space_of(part) for key, part in shapes.items()})
    dtype: Any = np.dtype(shapes.dtype)
    if dtype == np.uint8:
        return spaces.Box(0, 255, shapes.shape, np.uint8)
    if not np.issubdtype(dtype, np.floating):
        bounds = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else None
        low, high = (bounds.min, bounds.max) if bounds else (0, 1)
        return spaces.Box(low, high, shapes.shape, dtype if bounds else np.int8)
    return spaces.Box(-np.inf, np.inf, shapes.shape, dtype)
