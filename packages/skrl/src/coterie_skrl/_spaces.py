"""Between Coterie's trees of tensors and skrl's flat matrices.

skrl flattens every observation and action to ``[num_envs, size]``: a Discrete value takes one
column, and the parts of a Dict stand in the order of their sorted keys.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from skrl.utils.spaces.torch import flatten_tensorized_space, unflatten_tensorized_space

from coterie import Tree
from coterie.spaces import Leaf, build_tree, leaf_of, space_leaves


class Flat:
    """Turns values of a space into skrl's matrices and back.

    Args:
        space: Space of one instance's value.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        self._space = space
        self._leaves = space_leaves(space)
        self._only = self._leaves[0] if self._leaves[0].path == () else None

    def flatten(self, tree: Tree | None) -> torch.Tensor | None:
        """Turn values into a matrix.

        Args:
            tree: Tensors ``[n, ...]``, or ``None``.

        Returns:
            ``[n, size]``; what is not an integer or a float of single precision becomes the
            latter, as skrl's wrappers have it. ``None`` for ``None``.
        """
        if tree is None:
            return None
        if self._only is not None:  # most spaces; the general way costs as much as a small layer
            tensor = _to_skrl(tree, self._only)  # type: ignore[arg-type]
            return tensor if tensor.ndim == 2 else tensor.reshape(tensor.shape[0], -1)
        values = {leaf.path: _to_skrl(leaf_of(tree, leaf.path), leaf) for leaf in self._leaves}
        return flatten_tensorized_space(build_tree(self._space, values))  # type: ignore[no-any-return]

    def unflatten(self, matrix: torch.Tensor) -> Any:
        """Turn a matrix ``[n, size]`` into values, tensors ``[n, ...]`` of the space's dtypes.

        Raises:
            ValueError: Values that the space says are integers are not.
        """
        if self._only is not None:
            return _from_skrl(matrix, self._only)
        found = unflatten_tensorized_space(self._space, matrix)
        values = {leaf.path: _from_skrl(leaf_of(found, leaf.path), leaf) for leaf in self._leaves}
        return build_tree(self._space, values)


def _to_skrl(tensor: torch.Tensor, leaf: Leaf) -> torch.Tensor:
    whole = leaf.shape == () or leaf.dtype == torch.int64
    tensor = tensor if whole or tensor.dtype == torch.float32 else tensor.float()
    return tensor.reshape(-1, 1) if leaf.shape == () else tensor


def _from_skrl(tensor: torch.Tensor, leaf: Leaf) -> torch.Tensor:
    shape = (-1, *leaf.shape)
    shaped = tensor if tensor.shape[1:] == leaf.shape else tensor.reshape(shape)
    if shaped.dtype == leaf.dtype:
        return shaped
    converted = shaped.to(leaf.dtype)
    if shaped.is_floating_point() and not leaf.dtype.is_floating_point:
        _check_whole(shaped, converted, leaf)
    return converted


def _check_whole(given: torch.Tensor, converted: torch.Tensor, leaf: Leaf) -> None:
    if not bool((converted == given).all()):
        place = f" at {leaf.label}" if leaf.path else ""
        raise ValueError(
            f"the space{place} is of {leaf.dtype}, but there are values that it can't hold, such "
            f"as {given[converted != given].flatten()[0].item()}; declare a space of float32"
        )
