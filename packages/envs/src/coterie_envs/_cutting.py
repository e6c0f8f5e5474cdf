"""Cutting saved states by instance, and putting what was cut together again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from coterie import EnvContractError


def check_scopes(scopes: Sequence[slice], count: int) -> list[slice]:
    """Return scopes of some instances with both ends written out.

    Raises:
        ValueError: One is empty, has steps, or goes beyond the instances.
    """
    found = []
    for scope in scopes:
        start = 0 if scope.start is None else scope.start
        stop = count if scope.stop is None else scope.stop
        if scope.step not in (None, 1) or not 0 <= start < stop <= count:
            raise ValueError(
                f"scopes: expected slices of at least one of the {count} instances, without "
                f"steps, got {scope}"
            )
        found.append(slice(start, stop))
    return found


def count_rows(value: object, where: str) -> int:
    """Tell how many instances a tensor has a row of.

    Raises:
        EnvContractError: It is no tensor with rows.
    """
    if not isinstance(value, torch.Tensor) or not value.ndim:
        raise EnvContractError(f"{where}: expected a tensor with rows, got {_describe(value)}")
    return len(value)


def cut_rows(value: object, count: int, scope: slice, where: str, dim: int = 0) -> torch.Tensor:
    """Copy the rows of a scope out of a tensor.

    Args:
        value: The tensor.
        count: Number of instances, its size in dimension ``dim``.
        scope: Which of them.
        where: What it is, for messages.
        dim: The dimension of the instances.

    Raises:
        EnvContractError: It is no tensor, or one of another size.
    """
    if not isinstance(value, torch.Tensor) or value.ndim <= dim or value.shape[dim] != count:
        raise EnvContractError(
            f"{where}: expected a tensor of size {count} in dimension {dim}, got {_describe(value)}"
        )
    rows = value.narrow(dim, scope.start, scope.stop - scope.start)
    return rows.clone(memory_format=torch.contiguous_format)


def join_rows(values: Sequence[object], where: str, dim: int = 0) -> torch.Tensor:
    """Undo :func:`cut_rows`. Where dtypes differ, the result has one that holds both.

    Raises:
        EnvContractError: There is something else, or sizes in other dimensions differ.
    """
    tensors = [value for value in values if isinstance(value, torch.Tensor) and value.ndim > dim]
    sizes = {(*one.shape[:dim], *one.shape[dim + 1 :]) for one in tensors}
    if len(tensors) != len(values) or len(sizes) != 1:
        found = ", ".join(map(_describe, values))
        raise EnvContractError(
            f"{where}: expected tensors that differ in dimension {dim} alone, got {found}"
        )
    return torch.cat(tensors, dim)


def cut_tree(value: Any, count: int, scope: slice, where: str) -> Any:
    """Copy a part of a state whose every tensor has a row per instance, with rows of a scope.

    Args:
        value: Mappings and lists of tensors ``[count, ...]``, and of plain values that all
            instances share.
        count: Number of instances.
        scope: Which of them.
        where: What it is, for messages.

    Raises:
        EnvContractError: A tensor has another number of rows.
    """
    if isinstance(value, Mapping):
        return {key: cut_tree(one, count, scope, f"{where}.{key}") for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [cut_tree(one, count, scope, f"{where}[{k}]") for k, one in enumerate(value)]
    return cut_rows(value, count, scope, where) if isinstance(value, torch.Tensor) else value


def join_trees(values: Sequence[Any], where: str) -> Any:
    """Undo :func:`cut_tree`.

    Raises:
        EnvContractError: There are none, they are not alike, or a plain value is not the same in
            all of them.
    """
    if not values:
        raise EnvContractError(f"{where}: expected at least one state")
    first = values[0]
    if isinstance(first, torch.Tensor):
        return join_rows(values, where)
    if isinstance(first, Mapping):
        if not all(isinstance(one, Mapping) and one.keys() == first.keys() for one in values):
            raise EnvContractError(f"{where}: expected the same parts in every state")
        return {key: join_trees([one[key] for one in values], f"{where}.{key}") for key in first}
    if isinstance(first, list | tuple):
        if not all(isinstance(one, list | tuple) and len(one) == len(first) for one in values):
            raise EnvContractError(f"{where}: expected a list of {len(first)} in every state")
        columns = zip(*values, strict=True)
        return [join_trees(column, f"{where}[{k}]") for k, column in enumerate(columns)]
    if any(type(one) is not type(first) or one != first for one in values):
        raise EnvContractError(f"{where}: expected {first!r} in every state, got {list(values)}")
    return first


def _describe(value: object) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"shape {tuple(value.shape)}"
