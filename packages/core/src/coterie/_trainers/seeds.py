"""Which seeds an environment is reset with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .._envs.interface import VectorEnv
from .._seeding import derive_seed
from .members import Member

_LIMIT = 2**31  # simulators take 32-bit integers


def reset_seed(
    env: VectorEnv, members: Sequence[Member], purpose: Literal["train", "eval"], resets: int = 0
) -> int | list[int]:
    """Derive the seeds of a reset.

    Instance ``k`` of a member is seeded from the member's seed and ``k`` alone, so what it meets
    does not depend on the rest of the population. Where the instances share one stream, that is
    seeded from the environment's seed.

    Args:
        env: The environment.
        members: The population.
        purpose: What the reset is for; evaluation has episodes of its own.
        resets: How many resets for this purpose there were before.

    Returns:
        A seed per instance, or one seed, from 0 to 2**31 - 1.
    """
    if env.independent_streams:
        return [
            derive_seed(member.seed, purpose, resets, k) % _LIMIT
            for member in members
            for k in range(member.num_envs)
        ]
    seed = members[0].seed if env.seed is None else env.seed
    if purpose == "train" and resets == 0 and env.seed is not None:
        return env.seed
    return derive_seed(seed, purpose, resets) % _LIMIT
