"""Scopes: which instances belong to which agent."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from ._errors import ConfigError


def resolve_scopes(
    sizes: Sequence[int] | None, num_agents: int, num_envs: int
) -> tuple[slice, ...]:
    """Divide the instances among the agents.

    Args:
        sizes: Number of instances of each agent, Python's or numpy's integers; ``None``: equal
            scopes, the remainder goes to the last agent. It is not changed.
        num_agents: Number of agents.
        num_envs: Number of instances.

    Returns:
        A slice of the instances per agent, one after the other.

    Raises:
        ConfigError: There are fewer instances than agents, or the sizes don't fit.
    """
    if num_agents > num_envs:
        raise ConfigError(
            f"{num_agents} agents need at least {num_agents} instances, the environment has "
            f"{num_envs}; raise num_envs or train fewer agents"
        )
    if sizes is None:
        share = num_envs // num_agents
        sizes = [share] * (num_agents - 1) + [num_envs - share * (num_agents - 1)]
    else:
        _check_sizes(sizes, num_agents, num_envs)
    scopes, start = [], 0
    for size in sizes:
        scopes.append(slice(start, start + int(size)))
        start += int(size)
    return tuple(scopes)


def _check_sizes(sizes: Any, num_agents: int, num_envs: int) -> None:
    if isinstance(sizes, str | bytes) or not isinstance(sizes, Sequence):
        raise ConfigError(f"scopes must be a list of integers, one per agent; got {sizes!r}")
    problems = []
    for index, size in enumerate(sizes):
        if isinstance(size, bool) or not isinstance(size, Integral):
            kind = type(size).__name__
            problems.append(f"scopes[{index}]={size!r}: must be an integer, got {kind}")
        elif size < 1:
            problems.append(f"scopes[{index}]={size}: each agent needs at least 1 instance")
    if len(sizes) != num_agents:
        problems.append(f"{len(sizes)} scopes for {num_agents} agents: there must be one per agent")
    if not problems and sum(sizes) != num_envs:
        problems.append(
            f"scopes {list(sizes)} sum to {sum(sizes)}, the environment has {num_envs} instances"
        )
    if problems:
        raise ConfigError("; ".join(problems))
