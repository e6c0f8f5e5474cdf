"""gymnasium spaces as tensors: shapes, dtypes, sampling, and what fits what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from attrs import frozen
from gymnasium import spaces

from ._errors import ConfigError
from ._trees import tree_leaves, tree_map
from ._types import Tree


@frozen
class Leaf:
    """One tensor of a space.

    Attributes:
        path: Keys and positions that lead to it; ``()`` for a space that is one tensor.
        shape: Shape for one instance.
        dtype: Type of its elements.
    """

    path: tuple[str | int, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def label(self) -> str:
        """The path as text, ``"obs.camera"``; empty for a space that is one tensor."""
        return ".".join(str(part) for part in self.path)


def space_leaves(space: spaces.Space[Any], path: tuple[str | int, ...] = ()) -> tuple[Leaf, ...]:
    """List the tensors that a value of ``space`` consists of.

    Box and MultiBinary keep their shape and dtype, Discrete is an int64 scalar, MultiDiscrete
    an int64 tensor; Dict and Tuple hold the leaves of their parts in the space's order.

    Raises:
        ConfigError: The space has no tensors of fixed shape (Text, Graph, Sequence, …).
    """
    if isinstance(space, spaces.Dict):
        parts: list[tuple[str | int, Any]] = list(space.spaces.items())
    elif isinstance(space, spaces.Tuple):
        parts = list(enumerate(space.spaces))
    else:
        return (Leaf(path, *_tensor_kind(space, path)),)
    return tuple(leaf for key, part in parts for leaf in space_leaves(part, (*path, key)))


def _tensor_kind(
    space: spaces.Space[Any], path: tuple[str | int, ...]
) -> tuple[tuple[int, ...], torch.dtype]:
    if isinstance(space, spaces.Discrete):
        return (), torch.int64
    if isinstance(space, spaces.MultiDiscrete):
        return tuple(space.shape), torch.int64
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return tuple(space.shape), torch.from_numpy(np.empty(0, dtype=space.dtype)).dtype
    place = f" (at {'.'.join(map(str, path))})" if path else ""
    raise ConfigError(
        f"the space {space}{place} has no tensors of fixed shape; allowed are Box, Discrete, "
        "MultiDiscrete, MultiBinary, and Dict and Tuple of these"
    )


def build_tree(
    space: spaces.Space[Any],
    tensors: Mapping[tuple[str | int, ...], Any],
    path: tuple[str | int, ...] = (),
) -> Any:
    """Arrange tensors, given by leaf path, in the structure of ``space``."""
    # No inner function: one that calls itself would keep the tensors until garbage is collected.
    if isinstance(space, spaces.Dict):
        return {k: build_tree(part, tensors, (*path, k)) for k, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(build_tree(p, tensors, (*path, i)) for i, p in enumerate(space.spaces))
    return tensors[path]


def leaf_of(tree: Tree, path: tuple[str | int, ...]) -> Any:
    """Follow ``path`` into ``tree``.

    Raises:
        TypeError: There is a tensor before the path ends.
        LookupError: A part is missing.
    """
    value: Any = tree
    for part in path:
        if isinstance(value, torch.Tensor):
            raise TypeError("a tensor where a dict or tuple was expected")
        value = value[part]
    return value


def flat_size(space: spaces.Space[Any]) -> int:
    """Number of features that :func:`flatten` gives for one instance."""
    return int(spaces.flatdim(space))


def flatten(space: spaces.Space[Any], tree: Tree) -> torch.Tensor:
    """Turn a batch of values of ``space`` into one matrix of features.

    Discrete and MultiDiscrete values become one-hot vectors, as in
    :func:`gymnasium.spaces.flatten`; everything else is reshaped and converted.

    Args:
        space: Space of one instance.
        tree: Values, each tensor with leading dimensions ``[N]``.

    Returns:
        float32 ``[N, flat_size(space)]``.
    """
    if isinstance(space, spaces.Dict):
        return torch.cat([flatten(part, tree[key]) for key, part in space.spaces.items()], -1)  # type: ignore[index,call-overload]
    if isinstance(space, spaces.Tuple):
        return torch.cat([flatten(p, t) for p, t in zip(space.spaces, tree, strict=True)], -1)
    return _flatten_tensor(space, tree)  # type: ignore[arg-type]


def _flatten_tensor(space: spaces.Space[Any], tensor: torch.Tensor) -> torch.Tensor:
    if isinstance(space, spaces.Discrete):
        return torch.nn.functional.one_hot(tensor - int(space.start), int(space.n)).float()
    if isinstance(space, spaces.MultiDiscrete):
        start = torch.as_tensor(np.asarray(space.start).reshape(-1), device=tensor.device)
        columns = (tensor.reshape(tensor.shape[0], -1) - start).unbind(-1)
        counts = np.asarray(space.nvec).reshape(-1).tolist()
        hots = [
            torch.nn.functional.one_hot(column, count)
            for column, count in zip(columns, counts, strict=True)
        ]
        return torch.cat(hots, -1).float()
    return tensor.reshape(tensor.shape[0], -1).float()


def sample_actions(space: spaces.Space[Any], count: int, generator: torch.Generator) -> Any:
    """Draw valid values of ``space`` for ``count`` instances.

    Bounded Box dimensions are uniform, unbounded ones normal, half-bounded ones exponential
    from the bound, as gymnasium's own ``sample`` does.

    Returns:
        A tree of tensors ``[count, ...]`` on the generator's device.
    """
    if isinstance(space, spaces.Dict):
        return {k: sample_actions(part, count, generator) for k, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(sample_actions(part, count, generator) for part in space.spaces)
    device = generator.device
    if isinstance(space, spaces.Discrete):
        draw = torch.randint(int(space.n), (count,), generator=generator, device=device)
        return draw + int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        unit = torch.rand((count, *space.shape), generator=generator, device=device)
        nvec = torch.as_tensor(np.asarray(space.nvec), device=device)
        start = torch.as_tensor(np.asarray(space.start), device=device)
        return ((unit * nvec).long().minimum(nvec - 1) + start).long()
    if isinstance(space, spaces.MultiBinary):
        shape = (count, *space.shape)
        return torch.randint(2, shape, generator=generator, device=device).to(torch.int8)
    return _sample_box(space, count, generator)  # type: ignore[arg-type]


def _sample_box(space: spaces.Box, count: int, generator: torch.Generator) -> torch.Tensor:
    shape, device = (count, *space.shape), generator.device
    low = torch.as_tensor(space.low.astype(np.float64), device=device)
    high = torch.as_tensor(space.high.astype(np.float64), device=device)
    unit = torch.rand(shape, generator=generator, dtype=torch.float64, device=device)
    normal = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
    tail = -torch.log1p(-unit)
    below = torch.as_tensor(space.bounded_below, device=device)
    above = torch.as_tensor(space.bounded_above, device=device)
    integer = not np.issubdtype(space.dtype, np.floating)
    width = (high - low + 1) if integer else (high - low)
    bounded = low + unit * torch.where(below & above, width, torch.ones_like(width))
    values = torch.where(below, torch.where(above, bounded, low + tail), normal)
    values = torch.where(~below & above, high - tail, values)
    values = values.floor() if integer else values
    dtype = torch.from_numpy(np.empty(0, dtype=space.dtype)).dtype
    return values.clamp(low, high).to(dtype)


def check_contained(space: spaces.Space[Any], actions: Tree) -> None:
    """Check that each of a batch of actions lies in ``space``; this takes time.

    Raises:
        ValueError: One does not; the message names the instance.
    """
    count = next(iter(tree_leaves(actions))).shape[0]
    for row in range(count):
        value = tree_map(lambda tensor: tensor[row].cpu().numpy(), actions)  # noqa: B023
        if isinstance(space, spaces.Discrete):
            value = np.int64(value)
        if not space.contains(value):
            raise ValueError(f"the action {value} of instance {row} is not in {space}")


class ActionCheck:
    """Checks what agents return: cheap enough for every step, unless actions must lie in the space.

    Args:
        space: Space of one instance's action.
        count: Number of instances that act together.
        contained: Whether to look that each action lies in ``space``, which takes time.
    """

    def __init__(self, space: spaces.Space[Any], count: int, *, contained: bool = False) -> None:
        self._space = space if contained else None
        self._expected = [
            (leaf.path, (count, *leaf.shape), leaf.dtype) for leaf in space_leaves(space)
        ]

    def __call__(self, actions: Any) -> None:
        """Check a batch of actions, a tree of tensors ``[count, ...]``.

        Raises:
            ValueError: A tensor is missing, or has another shape or dtype; or an action is not
                in the space.
        """
        for path, shape, dtype in self._expected:
            tensor = None
            try:
                tensor = leaf_of(actions, path) if path else actions
                if tensor.shape == shape and tensor.dtype == dtype:
                    continue
            except (AttributeError, LookupError, TypeError):
                pass
            _refuse(tensor, path, shape, dtype)
        if self._space is not None:
            check_contained(self._space, actions)


def _refuse(
    tensor: Any, path: tuple[str | int, ...], shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    name = ".".join(("actions", *map(str, path)))
    if tensor is None and path:
        raise ValueError(f"{name}: expected a tensor of shape {shape}, but it is missing")
    if not isinstance(tensor, torch.Tensor):
        got: Any = type(tensor).__name__
    elif tensor.shape != shape:
        got = tuple(tensor.shape)
    elif tensor.dtype != dtype:
        raise ValueError(f"{name}: expected {dtype}, got {tensor.dtype}")
    else:
        return
    raise ValueError(f"{name}: expected a tensor of shape {shape}, got {got}")


def describe_mismatch(agent: spaces.Space[Any] | None, env: spaces.Space[Any] | None) -> str | None:
    """Say how the space that an agent was made for differs from the environment's.

    Bounds of a Box may differ; kinds, shapes, dtypes, counts, starts and names may not.

    Returns:
        A sentence, or ``None`` when the two fit.
    """
    if agent is None or env is None or agent == env:
        return None
    if type(agent) is not type(env):
        return f"the agent was made for {agent}, the environment has {env}"
    if space_leaves(agent) != space_leaves(env) or _counts(agent) != _counts(env):
        return f"the agent was made for {agent}, the environment has {env}"
    return None


def _counts(space: spaces.Space[Any]) -> Any:
    """Which integers each part of a space has: how many, and from which one on."""
    if isinstance(space, spaces.Dict):
        return {key: _counts(part) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return [_counts(part) for part in space.spaces]
    if isinstance(space, spaces.Discrete):
        return int(space.n), int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        return np.asarray(space.nvec).tolist(), np.asarray(space.start).tolist()
    return None
