"""Scalars of a team out of those of its networks."""

from __future__ import annotations

from collections.abc import Mapping


def merge_scalars(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Average scalars over a team's networks, and keep each one's beside.

    Args:
        found: Scalars by name, of each pair of networks by its name.

    Returns:
        The scalars of a single pair of networks; of several, the means ``name`` over those that
        have the scalar, and each one's own as ``name/NETWORKS``.
    """
    if len(found) == 1:
        return dict(*found.values())
    own = {f"{name}/{key}": v for key, row in found.items() for name, v in row.items()}
    names = dict.fromkeys(name for row in found.values() for name in row)
    means = {name: [row[name] for row in found.values() if name in row] for name in names}
    return {**{name: sum(values) / len(values) for name, values in means.items()}, **own}
