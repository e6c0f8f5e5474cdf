"""Who learns from another group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def migrants(groups: Sequence[Sequence[int]], fitness: Mapping[int, float]) -> dict[int, int]:
    """Let the worst of each group learn from the best of all others, if that one is better.

    Args:
        groups: Indices of the members of each group.
        fitness: By index; more is better. Of equal ones the earlier is better.

    Returns:
        By index of the one that learns: whom it learns from.
    """
    pairs = {}
    for group in groups:
        own = [index for index in group if index in fitness]
        others = [index for index in fitness if index not in set(group)]
        if not own or not others:
            continue
        worst = min(own, key=lambda index: (fitness[index], -index))
        best = max(others, key=lambda index: (fitness[index], -index))
        if fitness[best] > fitness[worst]:
            pairs[worst] = best
    return pairs
