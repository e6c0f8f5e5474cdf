"""Which members go on from a rung. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping


def rung_at(timestep: int, first: int, reduction: int) -> int | None:
    """Tell which rung is reached at a timestep: ``first * reduction ** rung``.

    Returns:
        The number of the rung, from 0; ``None``: none is.
    """
    rung, at = 0, first
    while at < timestep:
        rung, at = rung + 1, at * reduction
    return rung if at == timestep else None


def stopped_at(
    results: Mapping[str, float], arrived: Mapping[str, float], reduction: int, keep: int
) -> list[str]:
    """Find out who does not go on from a rung (arXiv:1810.05934, algorithm 2, ``top_k``).

    Args:
        results: Fitness at this rung of all members that ever reached it, by name; more is
            better.
        arrived: Those of them that are there now: only they can be stopped.
        reduction: One of so many goes on, at least one.
        keep: How many of those that are there now go on, at least.

    Returns:
        Names of those that are stopped, best first.
    """
    count = max(1, len(results) // reduction)
    names = list(results)
    ranked = sorted(names, key=lambda name: (-results[name], names.index(name)))
    survivors = set(ranked[:count])
    waiting = [name for name in ranked if name in arrived]
    survivors |= set(waiting[:keep])
    return [name for name in waiting if name not in survivors]
