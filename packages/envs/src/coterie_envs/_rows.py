"""Fresh tensors from arrays, for less than a call of torch each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from coterie.spaces import space_leaves

from ._gymnasium.trees import tensor_reader, to_tensor

_BLOCK = 32
_SMALL = 16_384


class Rows:
    """Copies arrays into tensors that are made many at once.

    Between other work a call of torch costs several microseconds, more than copying a small
    array. Every tensor is handed out once, and nothing is written to it again.

    Args:
        shape: Shape of the arrays and tensors.
        dtype: Type of the tensors' elements.
        device: Where they live; on accelerators each array goes there by itself.
        converts: Whether arrays of other types are converted; otherwise they keep theirs.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device,
        converts: bool = True,
    ) -> None:
        self._shape, self._device = shape, device
        numpy: Any = torch.empty(0, dtype=dtype).numpy().dtype
        self._numpy = numpy
        self._wanted = numpy if converts else None
        self._taken = None if converts else numpy
        self._on_cpu = device.type == "cpu"
        self._tensors: list[torch.Tensor] = []
        self._arrays: list[np.ndarray[Any, Any]] = []

    def __call__(self, values: Any) -> torch.Tensor:
        """Return an array as a tensor; one of another shape keeps it."""
        fits = isinstance(values, np.ndarray) and values.shape == self._shape and self._on_cpu
        if not fits or (self._taken is not None and values.dtype != self._taken):
            return to_tensor(values, self._device, self._wanted)
        if not self._tensors:
            self._make()
        self._arrays.pop()[...] = values
        return self._tensors.pop()

    def _make(self) -> None:
        # Tensors made of rows cost less than views that torch cuts out of one tensor.
        self._arrays = list(np.empty((_BLOCK, *self._shape), self._numpy))
        self._tensors = list(map(torch.from_numpy, self._arrays))


def batch_reader(
    space: spaces.Space[Any], num_envs: int, device: torch.device
) -> Callable[[Any], Any]:
    """Make a function that turns batches of ``space`` into trees of tensors.

    Args:
        space: Space of one instance.
        num_envs: Number of instances.
        device: Where the tensors go.

    Returns:
        As :func:`~coterie_envs._gymnasium.trees.tensor_reader`; small arrays are copied, others
        share their memory with the tensors.

    Raises:
        ConfigError: The space has no tensors of fixed shape.
    """
    leaves = space_leaves(space)
    if len(leaves) != 1 or leaves[0].path or device.type != "cpu":
        return tensor_reader(space, device)
    shape = (num_envs, *leaves[0].shape)
    if math.prod(shape) * leaves[0].dtype.itemsize > _SMALL:
        return tensor_reader(space, device)
    return Rows(shape, leaves[0].dtype, device, converts=leaves[0].dtype == torch.int64)
