"""Infos of single instances, gathered by actor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def gather(
    infos: Mapping[int, Mapping[Any, Any]], names: Mapping[Any, str], num_envs: int
) -> dict[str, Any]:
    """Turn the infos of instances into arrays by actor and key.

    Args:
        infos: By instance and agent: a dict.
        names: By agent: the name of the actor. What else stands in infos is kept under its text.
        num_envs: Number of instances, N.

    Returns:
        By actor: a dict of arrays ``[N, ...]``, and a mask ``"_" + key`` (bool ``[N]``) of the
        instances that gave the key, as in gymnasium. Numbers and arrays keep their dtype, dicts
        are gathered like the infos, anything else is an array of objects.
    """
    by_actor: dict[str, dict[int, Any]] = {}
    for row, found in infos.items():
        for agent, info in found.items():
            if isinstance(info, Mapping) and info:
                by_actor.setdefault(names.get(agent, str(agent)), {})[row] = info
    return {actor: _gather(rows, num_envs) for actor, rows in by_actor.items()}


def _gather(rows: Mapping[int, Mapping[Any, Any]], num_envs: int) -> dict[str, Any]:
    by_key: dict[str, dict[int, Any]] = {}
    for row, info in rows.items():
        for key, value in info.items():
            by_key.setdefault(str(key), {})[row] = value
    gathered: dict[str, Any] = {}
    for key, values in by_key.items():
        if all(isinstance(value, Mapping) for value in values.values()):
            gathered[key] = _gather(values, num_envs)
        else:
            gathered[key] = _stack(values, num_envs)
        gathered[f"_{key}"] = _mask(values, num_envs)
    return gathered


def _stack(values: Mapping[int, Any], num_envs: int) -> np.ndarray[Any, Any]:
    kinds = (bool, int, float, np.ndarray, np.generic)
    parts = {row: np.asarray(value) for row, value in values.items() if isinstance(value, kinds)}
    shapes = {part.shape for part in parts.values()}
    if len(parts) < len(values) or len(shapes) > 1:
        stacked = np.full(num_envs, None, dtype=object)
        parts = dict(values)
    else:
        dtype = np.result_type(*parts.values())
        stacked = np.zeros((num_envs, *shapes.pop()), dtype)
    for row, part in parts.items():
        stacked[row] = part
    return stacked


def _mask(rows: Mapping[int, Any], num_envs: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask = np.zeros(num_envs, np.bool_)
    mask[list(rows)] = True
    return mask
