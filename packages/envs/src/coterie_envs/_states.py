"""Reading saved states with suspicion: what does not fit is refused before anything changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from gymnasium import spaces

from coterie import EnvContractError
from coterie.spaces import build_tree, leaf_of, space_leaves

BIGGEST = 2**62
"""Counters beyond it are no counters."""


def parts_of(value: object, names: Collection[str], where: str) -> Mapping[str, Any]:
    """Return a part of a state that has just these parts.

    Args:
        value: What was found.
        names: Names of its parts.
        where: What it is, for messages.

    Raises:
        EnvContractError: It is no mapping, or has others.
    """
    if not isinstance(value, Mapping):
        raise EnvContractError(f"{where}: expected {sorted(names)}, got {type(value).__name__}")
    if set(value) != set(names):
        found = sorted(map(str, value))
        raise EnvContractError(f"{where}: expected {sorted(names)}, got {found}")
    return value


def list_of(value: object, length: int, where: str) -> Sequence[Any]:
    """Return a part of a state that is a list.

    Raises:
        EnvContractError: It is none, or has another length.
    """
    if not isinstance(value, list | tuple) or len(value) != length:
        found = f"{len(value)}" if isinstance(value, list | tuple) else type(value).__name__
        raise EnvContractError(f"{where}: expected a list of {length}, got {found}")
    return value


def tensor_of(
    value: object, shape: tuple[int, ...], dtypes: Collection[torch.dtype], where: str
) -> torch.Tensor:
    """Return a part of a state that is a tensor.

    Raises:
        EnvContractError: It is none, or has another shape or dtype.
    """
    allowed = " or ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))
    expected = f"{where}: expected shape {shape} of {allowed}"
    if not isinstance(value, torch.Tensor):
        raise EnvContractError(f"{expected}, got {type(value).__name__}")
    if value.shape != shape or value.dtype not in dtypes:
        found = str(value.dtype).removeprefix("torch.")
        raise EnvContractError(f"{expected}, got {tuple(value.shape)} of {found}")
    return value


def count_of(value: object, where: str, below: int = BIGGEST) -> int:
    """Return a part of a state that is an integer from 0.

    Raises:
        EnvContractError: It is none, or not less than ``below``.
    """
    if type(value) is not int or not 0 <= value < below:
        raise EnvContractError(f"{where}: expected an integer from 0 below {below}, got {value!r}")
    return value


def save_tree(space: spaces.Space[Any], tree: Any) -> list[torch.Tensor]:
    """List copies of the tensors of a tree, on the CPU, in the order of the space's leaves."""
    return [leaf_of(tree, leaf.path).detach().to("cpu", copy=True) for leaf in space_leaves(space)]


def load_tree(space: spaces.Space[Any], value: object, count: int, where: str) -> Any:
    """Undo :func:`save_tree`, for ``count`` instances.

    Returns:
        The tree; its tensors are copies on the CPU.

    Raises:
        EnvContractError: The tensors are of another space or number of instances.
    """
    leaves = space_leaves(space)
    listed = list_of(value, len(leaves), where)
    tensors = {
        leaf.path: tensor_of(one, (count, *leaf.shape), [leaf.dtype], where).clone()
        for leaf, one in zip(leaves, listed, strict=True)
    }
    return build_tree(space, tensors)
