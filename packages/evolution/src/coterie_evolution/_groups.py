"""The sub-populations that settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coterie import Member
from coterie.config import did_you_mean


def make_groups(
    groups: Sequence[Any], interval: int, members: Sequence[Member]
) -> tuple[list[tuple[int, list[int]]], list[str]]:
    """Find the members of each group.

    Args:
        groups: Sub-populations with ``members`` and ``interval``; empty: all members are one.
        interval: That of groups that say none.
        members: The population.

    Returns:
        Interval and indices of the members of each group, and what is wrong.
    """
    if not groups:
        everybody = [member.index for member in members]
        return [(interval, everybody)], _too_few("the population", members)
    index_of = {member.name: member.index for member in members}
    found, problems = [], []
    for place, group in enumerate(groups):
        unknown = [name for name in group.members if name not in index_of]
        problems += [
            f"groups.{place}: there is no member {name!r}{did_you_mean(name, index_of)}"
            for name in unknown
        ]
        problems += _too_few(f"groups.{place}", group.members)
        own = sorted(index_of[name] for name in group.members if name in index_of)
        found.append((group.interval or interval, own))
    named = {name for group in groups for name in group.members}
    left_out = [name for name in index_of if name not in named]
    if left_out:
        problems.append(f"{', '.join(left_out)}: in no group; every member must be in one")
    return found, problems


def _too_few(what: str, members: Sequence[Any]) -> list[str]:
    return [] if len(members) > 1 else [f"{what} has one member: nobody to compare it with"]
