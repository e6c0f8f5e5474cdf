"""From a list of agents to members: checks, names, scopes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs

from .._agents.interface import Agent
from .._agents.multi_agent import MultiAgent
from .._config.structure import unstructure
from .._envs.interface import VectorEnv
from .._envs.multi_agent import MultiAgentVectorEnv
from .._errors import ConfigError
from .._runs.records import MemberInfo
from .._scopes import resolve_scopes
from .._spaces import describe_mismatch
from .members import Member

_LONGEST = 128
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._=+,@-]*")


def make_members(
    env: VectorEnv, agents: Agent | Sequence[Agent], scopes: Sequence[int] | None
) -> tuple[Member, ...]:
    """Give each agent its place in the population.

    Args:
        env: The environment.
        agents: One agent, or a list; those without a name are given one.
        scopes: Number of instances of each; ``None``: equal ones.

    Raises:
        ConfigError: An agent appears twice or is none, names clash, spaces don't fit, the
            scopes are wrong, or an agent can't learn from so many instances.
    """
    chosen = [agents] if isinstance(agents, Agent) else _as_list(agents)
    problems = [*_check_agents(chosen), *_check_spaces(env, chosen)]
    names = _names(chosen)
    problems += _check_names(names)
    if problems:
        raise ConfigError("\n".join(problems))
    slices = resolve_scopes(scopes, len(chosen), env.num_envs)
    _check_scopes(names, chosen, slices)
    for name, agent in zip(names, chosen, strict=True):
        agent.name = name
    return tuple(
        Member(index=index, name=name, agent=agent, scope=scope)
        for index, (name, agent, scope) in enumerate(zip(names, chosen, slices, strict=True))
    )


def member_info(member: Member) -> MemberInfo:
    """Describe a member for loggers, hooks and files."""
    return MemberInfo(
        index=member.index,
        name=member.name,
        kind=member.agent.kind,
        seed=member.seed,
        scope=(member.scope.start, member.scope.stop),
        device=str(member.device),
        settings=unstructure(member.agent.cfg) if attrs.has(type(member.agent.cfg)) else {},
    )


def _as_list(agents: Any) -> list[Any]:
    if isinstance(agents, str | dict) or not hasattr(agents, "__iter__"):
        raise ConfigError(f"agents must be an Agent or a list of them, got {agents!r}")
    return list(agents)


def _check_agents(agents: Sequence[Any]) -> list[str]:
    if not agents:
        return ["there are no agents: give at least one"]
    problems = [
        f"agents[{index}] is a {type(agent).__name__}, not a coterie Agent; "
        "make one with coterie.make_agent"
        for index, agent in enumerate(agents)
        if not isinstance(agent, Agent)
    ]
    first: dict[int, int] = {}
    for index, agent in enumerate(agents):
        if id(agent) in first:
            problems.append(
                f"agents[{index}] is the same object as agents[{first[id(agent)]}]; "
                "each member needs an agent of its own"
            )
        first.setdefault(id(agent), index)
    return problems


def _check_spaces(env: VectorEnv, agents: Sequence[Any]) -> list[str]:
    problems = []
    for index, agent in enumerate(agents):
        if not isinstance(agent, Agent):
            continue
        unfit = describe_unfit(env, type(agent), agent.kind)
        if unfit:
            problems.append(f"agents[{index}] ({agent.name or agent.kind}): {unfit}")
            continue
        for kind in ("observation_space", "action_space", "state_space"):
            mismatch = describe_mismatch(getattr(agent, kind), getattr(env, kind))
            if mismatch:
                problems.append(f"agents[{index}] ({agent.name or agent.kind}): {kind}: {mismatch}")
        if agent.state_space is not None and env.state_space is None:
            problems.append(f"agents[{index}]: expects privileged states, {env.name} has none")
    return problems


def describe_unfit(env: VectorEnv, cls: type[Any], kind: str) -> str | None:
    """Say why agents of a class can't act in an environment at all: only one is multi-agent.

    Args:
        env: The environment.
        cls: Class of the agents.
        kind: Name of the algorithm.

    Returns:
        A sentence, or ``None``.
    """
    team = issubclass(cls, MultiAgent)
    if team == isinstance(env, MultiAgentVectorEnv):
        return None
    if team:
        return (
            f"{kind!r} is a team, which controls the actors of a multi-agent environment, but "
            f"{env.name} has one agent per instance; use an agent for one, such as 'ppo', or a "
            "coterie.MultiAgentVectorEnv"
        )
    actors = ", ".join(env.interface.actors)
    return (
        f"{kind!r} is an agent for one, but {env.name} is a multi-agent environment with the "
        f"actors {actors}; use a team, such as 'ippo' or 'mappo', or a class of your own that "
        "inherits coterie.MultiAgent"
    )


def _check_scopes(names: Sequence[str], agents: Sequence[Agent], scopes: Sequence[slice]) -> None:
    problems = []
    for name, agent, scope in zip(names, agents, scopes, strict=True):
        try:
            agent.check_scope(scope.stop - scope.start)
        except ConfigError as error:
            problems.append(f"member {name!r}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))


def _names(agents: Sequence[Any]) -> list[Any]:
    """Names of the agents; those without one are numbered by their position."""
    return [
        getattr(agent, "name", None) or f"{getattr(agent, 'kind', 'agent')}-{index}"
        for index, agent in enumerate(agents)
    ]


def _check_names(names: Sequence[Any]) -> list[str]:
    texts = [name for name in names if isinstance(name, str)]
    counts = Counter(name.casefold() for name in texts)
    problems = [
        f"two members are named {name!r}; names must differ, and not only in their case"
        for name in {name.casefold(): name for name in texts}.values()
        if counts[name.casefold()] > 1
    ]
    problems += [
        f"the name {name!r} can't be used: it becomes a file's name, so it must be a text of at "
        f"most {_LONGEST} characters: letters, digits, spaces and . _ = + , @ - only"
        for name in names
        if not (isinstance(name, str) and len(name) <= _LONGEST and _NAME.fullmatch(name))
    ]
    return problems
