"""Who is stacked with whom, and why somebody is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from coterie import Member, Stackable, StackKey


@frozen(kw_only=True)
class Placement:
    """Where the members of a population act and learn.

    Attributes:
        stacks: Names of the members of each stack.
        alone: Why a member is in no stack, by its name.
    """

    stacks: tuple[tuple[str, ...], ...] = ()
    alone: Mapping[str, str] = field(factory=dict)

    def __str__(self) -> str:
        lines = [f"stacked ({len(names)}): {', '.join(names)}" for names in self.stacks]
        lines += [f"on its own: {name}: {why}" for name, why in self.alone.items()]
        return "\n".join(lines)


def find_key(member: Member) -> StackKey:
    """Ask a member's agent what it has in common with others."""
    agent = member.agent
    if isinstance(agent, Stackable):
        return agent.stack_key()
    return StackKey(obstacle=f"agents of class {type(agent).__name__} can't be stacked")


def find_groups(
    members: Sequence[Member], keys: Mapping[int, StackKey], smallest: int
) -> list[tuple[Member, ...]]:
    """Find the members that can be stacked.

    Args:
        members: In order of scope.
        keys: What each has in common with others, by index.
        smallest: How many it takes.

    Returns:
        Members of each stack, in order of scope.
    """
    groups: list[tuple[StackKey, list[Member]]] = []
    for member in members:
        key = keys[member.index]
        if key.obstacle:
            continue
        for other, found in groups:
            if other.parts == key.parts and found[0].num_envs == member.num_envs:
                found.append(member)
                break
        else:
            groups.append((key, [member]))
    return [tuple(found) for _, found in groups if len(found) >= smallest]


def explain(
    member: Member, members: Sequence[Member], keys: Mapping[int, StackKey], smallest: int
) -> str:
    """Say why a member is in no stack: an obstacle, or what the nearest other differs in."""
    key = keys[member.index]
    if key.obstacle:
        return key.obstacle
    others = [m for m in members if m is not member and not keys[m.index].obstacle]
    if not others:
        return "there is no other agent that can be stacked"
    apart = {other.index: key.differences(keys[other.index]) for other in others}
    nearest = min(others, key=lambda other: len(apart[other.index]))
    if not apart[nearest.index]:
        return f"fewer than {smallest} agents are alike"
    return f"differs from {nearest.name} in {', '.join(apart[nearest.index])}"
