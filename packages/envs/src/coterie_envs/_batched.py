"""Simulators that step many instances on one device, in tensors of torch."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from gymnasium import spaces

from coterie import EnvContractError
from coterie.spaces import build_tree, leaf_of, space_leaves

SEEDS = 2**31


def one_seed(seed: int | Sequence[int], name: str) -> int:
    """Return the seed of a simulator whose instances share one random stream.

    Raises:
        EnvContractError: Seeds were given one by one.
        ValueError: It is negative.
    """
    if isinstance(seed, Sequence):
        raise EnvContractError(
            f"{name}: its instances share one random stream and can't be seeded one by one; "
            "reset with a single seed"
        )
    plain = operator.index(seed)
    if plain < 0:
        raise ValueError(f"seed: expected integers from 0, got {plain}")
    return plain % SEEDS


def flags(value: Any, num_envs: int, device: torch.device) -> torch.Tensor:
    """Return flags as bool ``[num_envs]``; one flag stands for all instances."""
    tensor = torch.as_tensor(value, device=device).bool()
    return tensor.expand(num_envs) if tensor.ndim == 0 else tensor


def rewards_of(value: Any, num_envs: int, device: torch.device) -> torch.Tensor:
    """Return rewards as float32 ``[num_envs]``; a last dimension of one is dropped."""
    tensor = torch.as_tensor(value, device=device, dtype=torch.float32)
    return tensor.reshape(num_envs) if tensor.shape == (num_envs, 1) else tensor


def conformed(space: spaces.Space[Any], tree: Any, device: torch.device) -> Any:
    """Bring observations to the dtypes of their space, on a device.

    Simulators declare their spaces by hand, often with another floating type than they give;
    and they may give more parts than they declare, which are left out.

    Raises:
        LookupError: A part is missing.
        TypeError: There is a tensor where parts are expected.
    """
    tensors = {
        leaf.path: torch.as_tensor(leaf_of(tree, leaf.path), device=device).to(leaf.dtype)
        for leaf in space_leaves(space)
    }
    return build_tree(space, tensors)
