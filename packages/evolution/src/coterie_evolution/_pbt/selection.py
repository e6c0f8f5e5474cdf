"""Who goes on with what somebody else learned. Pure functions of fitness and random numbers."""

from __future__ import annotations

import random
from collections.abc import Mapping

from .._ranges.draws import pick


def truncation(
    fitness: Mapping[int, float], fraction: float, generator: random.Random
) -> dict[int, int]:
    """Let the worst copy the best (Jaderberg et al. 2017, section 4.1.1, with a fifth).

    Args:
        fitness: By index of the member; more is better. Of equal ones the later is worse.
        fraction: Part of the members that are replaced, at most a half; at least one is.
        generator: One random number for each that is replaced.

    Returns:
        By index of the one that is replaced: the index of whom it copies, drawn from the best.
    """
    if len(fitness) < 2:
        return {}
    ranked = sorted(fitness, key=lambda index: (-fitness[index], index))
    count = max(1, min(int(fraction * len(ranked)), len(ranked) // 2))
    best, worst = ranked[:count], ranked[-count:]
    pairs = {heir: best[pick(generator, count)] for heir in sorted(worst)}
    return {heir: donor for heir, donor in pairs.items() if fitness[donor] > fitness[heir]}


def tournament(fitness: Mapping[int, float], generator: random.Random) -> dict[int, int]:
    """Let each meet another one, and copy it if that one is better (section 4.1.1, too).

    Args:
        fitness: By index of the member; more is better.
        generator: One random number for each member, in order of their indices.

    Returns:
        By index of the loser: the index of the winner.
    """
    indices = sorted(fitness)
    if len(indices) < 2:
        return {}
    pairs = {}
    for index in indices:
        others = [other for other in indices if other != index]
        opponent = others[pick(generator, len(others))]
        if fitness[opponent] > fitness[index]:
            pairs[index] = opponent
    return pairs
