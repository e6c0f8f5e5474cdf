"""What must hold of a population before settings and knowledge can pass between its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from coterie import ConfigError, Member, Population

from ._ranges.cfg import Range, unknown_names


def check_ranges(members: Sequence[Member], ranges: Mapping[str, Range]) -> list[str]:
    """List the ranges that an agent does not take: unknown settings, values that are refused."""
    problems: list[str] = []
    for member in members:
        agent = member.agent
        found = unknown_names(dict(ranges), agent.changeable)
        for name, own in ranges.items():
            if name in agent.changeable:
                found += _refused(member, name, own)
        problems += [f"member {member.name!r} ({agent.kind}): {problem}" for problem in found]
    return problems


def _refused(member: Member, name: str, own: Range) -> list[str]:
    found = []
    for value in own.extremes:
        try:
            member.agent.check_settings({name: value})
        except ConfigError as error:
            found.append(f"{name} = {value!r} is in its range, but: {error}")
    return found


def check_alike(members: Sequence[Member]) -> list[str]:
    """List what keeps one member from going on with what another learned."""
    first, problems = members[0], []
    for member in members[1:]:
        who = f"members {first.name!r} and {member.name!r} can't learn from each other: they "
        if type(member.agent) is not type(first.agent):
            problems.append(f"{who}are agents of kind {first.agent.kind!r}, {member.agent.kind!r}")
            continue
        names = [name for name in _fixed(first) if _setting(first, name) != _setting(member, name)]
        if names:
            problems.append(f"{who}differ in {', '.join(names)}")
    return problems


def _fixed(member: Member) -> list[str]:
    names = [field.name for field in attrs.fields(type(member.agent.cfg))]
    return [name for name in names if name not in member.agent.changeable]


def _setting(member: Member, name: str) -> Any:
    return getattr(member.agent.cfg, name)


def evolving(population: Population, member: Member, ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Return the settings of a member that have a range, by name, sorted."""
    settings = population.settings(member)
    return {name: settings[name] for name in sorted(ranges)}


def refuse(problems: Sequence[str], what: str) -> None:
    """Raise one error for all problems, if there are any.

    Raises:
        ConfigError: There are.
    """
    if problems:
        raise ConfigError("\n  ".join([f"{what} can't work with this population:", *problems]))
