"""Which observations recurrent networks see."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces

from coterie import ConfigError
from coterie.spaces import space_leaves

_PICTURE = (3, 4)


def check_vectors(kind: str, **given: spaces.Space[Any] | None) -> None:
    """Refuse images: the built-in recurrent networks see vectors.

    Args:
        kind: Name of the algorithm.
        given: Spaces by what they are.

    Raises:
        ConfigError: A space has an image in it: a uint8 Box of three or four dimensions.
    """
    for name, space in given.items():
        for leaf in () if space is None else space_leaves(space):
            if leaf.dtype == torch.uint8 and len(leaf.shape) in _PICTURE:
                place = ".".join(str(part) for part in (name, *leaf.path))
                raise ConfigError(
                    f"{kind!r} sees vectors, but {place} is an image of shape "
                    f"{tuple(leaf.shape)}: give it features of the image instead, with a wrapper "
                    "of the environment, or take an agent that reads images"
                )


def check_built_in(kind: str, own_models: Any, precision: str) -> None:
    """Refuse what recurrent agents don't have: modules of the user, and 16-bit arithmetic.

    Raises:
        ConfigError: One of these was asked for.
    """
    if own_models is not None:
        raise ConfigError(
            f"{kind!r} has built-in networks only; set cell, layers and sizes with 'model'"
        )
    if precision != "off":
        raise ConfigError(
            f"mixed_precision = {precision!r}, but {kind!r} computes in full precision only: "
            "leave it 'off'"
        )
