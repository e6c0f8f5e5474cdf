"""gymnasium's batches of numpy arrays and Coterie's trees of tensors, each from the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from coterie.spaces import Leaf, build_tree, leaf_of, space_leaves

_REWARD, _FLAG, _INDEX = np.dtype(np.float32), np.dtype(np.bool_), np.dtype(np.int64)


def to_tensor(value: Any, device: torch.device, dtype: Any = None) -> torch.Tensor:
    """Turn an array into a tensor, sharing its memory where that is safe.

    Arrays that can't be written to, or lie in memory in another order, are copied: torch has no
    read-only tensors, and another order could change how a matrix product rounds.

    Args:
        value: An array, or what numpy makes one of.
        device: Where the tensor goes.
        dtype: numpy dtype that it is converted to; ``None``: it keeps its own.
    """
    tensor = _share(value, dtype)
    return tensor if device.type == "cpu" else tensor.to(device)


def _share(value: Any, dtype: Any) -> torch.Tensor:
    if type(value) is not np.ndarray or not (dtype is None or value.dtype is dtype):
        value = np.asarray(value, dtype)
    if not value.flags.carray:
        value = np.array(value, order="C")
    return torch.from_numpy(value)


def outcome_reader(
    device: torch.device,
) -> Callable[[Any, Any, Any], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Make a function that turns rewards and the two flags of a step into tensors on a device.

    Returns:
        A function of three arrays ``[N]``, which gives them as float32, bool and bool; they
        share their memory where that is safe.
    """

    def read(
        rewards: Any, terminated: Any, truncated: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return _share(rewards, _REWARD), _share(terminated, _FLAG), _share(truncated, _FLAG)

    if device.type == "cpu":
        return read

    def send(*arrays: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rewards, terminated, truncated = (tensor.to(device) for tensor in read(*arrays))
        return rewards, terminated, truncated

    return send


def tensor_reader(space: spaces.Space[Any], device: torch.device) -> Callable[[Any], Any]:
    """Make a function that turns batches of values of ``space`` into trees of tensors.

    Args:
        space: Space of one instance.
        device: Where the tensors go.

    Returns:
        A function of arrays ``[N, ...]`` in gymnasium's dicts and tuples. Discrete and
        MultiDiscrete values become int64, others keep their dtype.

    Raises:
        ConfigError: The space has no tensors of fixed shape.
    """
    leaves = space_leaves(space)
    if not leaves or leaves[0].path:
        return lambda batch: _read(space, batch, leaves, device)
    wanted = _index_dtype(leaves[0])
    if device.type == "cpu":
        return lambda batch: _share(batch, wanted)
    return lambda batch: to_tensor(batch, device, wanted)


def _read(
    space: spaces.Space[Any], batch: Any, leaves: tuple[Leaf, ...], device: torch.device
) -> Any:
    tensors = {
        leaf.path: to_tensor(leaf_of(batch, leaf.path), device, _index_dtype(leaf))
        for leaf in leaves
    }
    return build_tree(space, tensors)


def _index_dtype(leaf: Leaf) -> Any:
    return _INDEX if leaf.dtype == torch.int64 else None


def array_writer(space: spaces.Space[Any], batched: spaces.Space[Any]) -> Callable[[Any], Any]:
    """Make a function that turns trees of tensors into batches for gymnasium.

    Args:
        space: Space of one instance.
        batched: Space of the whole batch, which gives the dtypes.

    Returns:
        A function of tensors ``[N, ...]``; what it returns are copies, so that a simulator that
        changes its actions in place changes nobody else's.

    Raises:
        ConfigError: The space has no tensors of fixed shape.
    """
    leaves = space_leaves(space)
    dtypes = {leaf.path: _part(batched, leaf.path).dtype for leaf in leaves}
    if leaves and not leaves[0].path:
        dtype = dtypes[()]
        return lambda tree: _to_array(tree, dtype)

    def write(tree: Any) -> Any:
        arrays = {path: _to_array(leaf_of(tree, path), dtype) for path, dtype in dtypes.items()}
        return build_tree(space, arrays)

    return write


def _to_array(tensor: torch.Tensor, dtype: Any) -> np.ndarray[Any, Any]:
    try:
        array = tensor.numpy()
    except (RuntimeError, TypeError):  # it needs gradients, or lies on another device
        array = tensor.detach().cpu().numpy()
    return array.astype(dtype, order="C")


def _part(space: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        space = space[key]
    return space
