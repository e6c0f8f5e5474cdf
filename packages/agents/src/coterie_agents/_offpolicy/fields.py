"""Which fields a replay memory has."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces

from coterie import ConfigError
from coterie.spaces import flat_size, space_leaves

from .._memory.rollout import Fields


def action_field(
    space: spaces.Space[Any], dtype: torch.dtype
) -> tuple[tuple[int, ...], torch.dtype]:
    """Return shape and type of a stored action: an index from 0, or a flat vector.

    Raises:
        ConfigError: The space is neither Discrete nor a Box.
    """
    if isinstance(space, spaces.Discrete):
        return (), torch.int64
    if isinstance(space, spaces.Box):
        return (flat_size(space),), dtype
    raise ConfigError(f"replay memories hold actions of Discrete and Box spaces, got {space}")


def replay_fields(
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    state_space: spaces.Space[Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Fields:
    """List what is stored of a transition, in the order in which learners write it.

    Observations keep the types of their spaces. What a step ended in comes first in each pair.

    Args:
        observation_space: Space of one instance's observation.
        action_space: Space of one instance's action.
        state_space: Space of one instance's privileged observation, or ``None``.
        dtype: Type of rewards and of real actions.

    Raises:
        ConfigError: A space can't be stored.
    """
    fields: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
    for name, space in (("observations", observation_space), ("states", state_space)):
        leaves = () if space is None else space_leaves(space)
        for prefix in ("", "next_"):
            for i, leaf in enumerate(leaves):
                fields[f"{prefix}{name}.{i}"] = (leaf.shape, leaf.dtype)
    fields["actions"] = action_field(action_space, dtype)
    fields["rewards"] = ((), dtype)
    return fields | dict.fromkeys(("terminated", "truncated"), ((), torch.bool))
