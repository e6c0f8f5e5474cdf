"""Functions over trees: a tensor, or dicts and tuples of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from ._types import Tree


def tree_map(function: Callable[..., Any], tree: Tree, *others: Tree) -> Any:
    """Apply ``function`` to each tensor of ``tree`` (and its partners in ``others``).

    Args:
        function: Called with one tensor per tree.
        tree: The tree that gives the structure.
        others: Trees of the same structure.

    Returns:
        A tree of the same structure that holds what ``function`` returned.
    """
    if isinstance(tree, dict):
        return {
            key: tree_map(function, value, *(other[key] for other in others))  # type: ignore[index,call-overload]
            for key, value in tree.items()
        }
    if isinstance(tree, tuple):
        return tuple(tree_map(function, *values) for values in zip(tree, *others, strict=True))
    return function(tree, *others)


def tree_leaves(tree: Tree) -> Iterator[torch.Tensor]:
    """Yield the tensors of ``tree``, in the order of its structure."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from tree_leaves(value)
    elif isinstance(tree, tuple):
        for value in tree:
            yield from tree_leaves(value)
    else:
        yield tree


def tree_rows(tree: Tree, rows: slice, device: torch.device | None = None) -> Any:
    """Copy some rows of every tensor into memory of their own.

    The copy is always at the start of an allocation and in C order: a matrix product can round
    differently for another alignment or order, and a member's result may not depend on where
    its scope lies. (A plain clone keeps the order of a whole tensor, but not that of a part.)

    Args:
        tree: Tensors of shape ``[N, ...]``.
        rows: The rows to copy.
        device: Where the copy goes; ``None``: where the tensor is.
    """

    def copy(tensor: torch.Tensor) -> torch.Tensor:
        part = tensor[rows]
        if device is None or device == part.device:
            return part.clone(memory_format=torch.contiguous_format)
        return part.to(device, copy=True, memory_format=torch.contiguous_format)

    return tree_map(copy, tree)


def tree_cat(trees: Sequence[Tree]) -> Any:
    """Concatenate trees of one structure along the leading dimension."""
    first, *others = trees
    return tree_map(lambda *tensors: torch.cat(tensors), first, *others)


def tree_where(mask: torch.Tensor, chosen: Tree, other: Tree) -> Any:
    """Take the rows of ``chosen`` where ``mask`` (bool ``[N]``) holds, else those of ``other``."""

    def pick(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        shaped = mask.reshape(-1, *([1] * (right.dim() - 1)))
        return torch.where(shaped, left, right)

    return tree_map(pick, chosen, other)
