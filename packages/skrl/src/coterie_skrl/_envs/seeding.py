"""Seeding environments through skrl's wrappers, which take no seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coterie import EnvContractError

_SEEDS = 2**31


def give_seed(wrapper: Any, seed: int | Sequence[int] | None, independent: bool, name: str) -> None:
    """Have the next ``reset()`` of a wrapper reset its environment, with a seed.

    skrl's wrappers seed their environment once, with ``skrl.config.torch.key``, and those of
    vectorised ones reset it only once.

    Args:
        wrapper: The wrapper.
        seed: A seed, a seed per instance, or ``None`` to go on with the streams as they are.
        independent: Whether each instance has a stream of its own.
        name: What the environment is, for messages.

    Raises:
        EnvContractError: Seeds were given one by one, but the instances share one stream.
    """
    if seed is not None and hasattr(wrapper, "_seed"):
        if not isinstance(seed, Sequence):
            wrapper._seed = seed % _SEEDS
        elif independent:
            seeds = [one % _SEEDS for one in seed]
            wrapper._seed = seeds if getattr(wrapper, "_vectorized", False) else seeds[0]
        else:
            raise EnvContractError(
                f"{name}: its instances share one random stream and can't be seeded one by one; "
                "reset with a single seed"
            )
    if hasattr(wrapper, "_reset_once"):
        wrapper._reset_once = True
