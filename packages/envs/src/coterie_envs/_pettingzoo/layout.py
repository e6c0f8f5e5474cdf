"""Where the copies of an environment leave what they return. Free of torch: workers import this."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen
from gymnasium import spaces

from coterie import ConfigError

Key: TypeAlias = tuple[str | int, ...]
Array: TypeAlias = np.ndarray[Any, Any]

_ALIGNED = 64  # bytes; the size of a cache line


@frozen(kw_only=True)
class Layout:
    """What one copy of an environment observes and does, by actor.

    Attributes:
        agents: What the environment calls its actors, in the order of ``possible_agents``.
        actors: Their names as texts, in the same order.
        observations: By actor: space of its observations.
        actions: By actor: space of its actions.
        state: Space of the state that the actors share; ``None``: there is none.
    """

    agents: tuple[Any, ...]
    actors: tuple[str, ...]
    observations: dict[str, spaces.Space[Any]]
    actions: dict[str, spaces.Space[Any]]
    state: spaces.Space[Any] | None

    def arrays(self, num_envs: int, memory: Any = None) -> dict[Key, Array]:
        """Lay out arrays ``[num_envs, ...]`` for all that is exchanged in a step.

        Args:
            num_envs: Number of instances.
            memory: A buffer of :meth:`nbytes` bytes; ``None``: memory of its own.

        Returns:
            By key: ``("observation", ACTOR, *path)``, ``("action", ACTOR, *path)``,
            ``("state", *path)``; and ``("rewards",)`` (float32), ``("terminated",)``,
            ``("truncated",)`` (bool), of the shape ``[number of actors, num_envs]``. Zeros,
            where the memory is.
        """
        buffer = np.zeros(self.nbytes(num_envs), np.uint8)
        if memory is not None:
            buffer = np.frombuffer(memory, np.uint8)
        arrays, start = {}, 0
        for key, shape, dtype in self._fields(num_envs):
            size = math.prod(shape) * dtype.itemsize
            arrays[key] = buffer[start : start + size].view(dtype).reshape(shape)
            start += _padded(size)
        return arrays

    def nbytes(self, num_envs: int) -> int:
        """Number of bytes that the arrays of ``num_envs`` instances need, at least 1."""
        fields = self._fields(num_envs)
        return max(1, sum(_padded(math.prod(shape) * dtype.itemsize) for _, shape, dtype in fields))

    def _fields(self, num_envs: int) -> Iterator[tuple[Key, tuple[int, ...], np.dtype[Any]]]:
        for kind, by_actor in (("observation", self.observations), ("action", self.actions)):
            for actor, space in by_actor.items():
                for path, shape, dtype in space_parts(space):
                    yield (kind, actor, *path), (num_envs, *shape), dtype
        for path, shape, dtype in () if self.state is None else space_parts(self.state):
            yield ("state", *path), (num_envs, *shape), dtype
        by_actor_shape = (len(self.actors), num_envs)
        yield ("rewards",), by_actor_shape, np.dtype(np.float32)
        yield ("terminated",), by_actor_shape, np.dtype(np.bool_)
        yield ("truncated",), by_actor_shape, np.dtype(np.bool_)


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def describe(env: Any, name: str, use_state: bool = True) -> Layout:
    """Find out what an environment of the parallel API observes and does.

    Args:
        env: The environment.
        name: What it is, for messages.
        use_state: Whether its state is wanted.

    Raises:
        ConfigError: It does not say who its actors are, or what their spaces are.
    """
    agents = tuple(getattr(env, "possible_agents", None) or ())
    if not agents:
        raise ConfigError(
            f"{name} has no possible_agents: a team needs to know all of its actors beforehand"
        )
    actors = tuple(str(agent) for agent in agents)
    if len(set(actors)) != len(actors):
        raise ConfigError(f"{name}: the names of possible_agents must differ, got {agents}")
    state = getattr(env, "state_space", None) if use_state else None
    return Layout(
        agents=agents,
        actors=actors,
        observations=_spaces(env.observation_space, agents, f"{name}.observation_space"),
        actions=_spaces(env.action_space, agents, f"{name}.action_space"),
        state=state if isinstance(state, spaces.Space) else None,
    )


def _spaces(function: Any, agents: tuple[Any, ...], what: str) -> dict[str, spaces.Space[Any]]:
    found = {str(agent): function(agent) for agent in agents}
    for actor, space in found.items():
        if not isinstance(space, spaces.Space):
            raise ConfigError(
                f"{what}({actor!r}) is {space!r}, expected a space of gymnasium.spaces"
            )
    return found


def space_parts(
    space: spaces.Space[Any], path: Key = ()
) -> Iterator[tuple[Key, tuple[int, ...], np.dtype[Any]]]:
    """List the arrays that a value of ``space`` consists of: path, shape and dtype.

    Discrete and MultiDiscrete values are int64, others keep their dtype.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts: Any = space.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, part in parts:
            yield from space_parts(part, (*path, key))
    elif isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        yield path, space.shape or (), np.dtype(np.int64)
    else:
        yield path, space.shape or (), np.dtype(space.dtype)


def arrange(space: spaces.Space[Any], parts: Mapping[Key, Any], path: Key = ()) -> Any:
    """Arrange parts, given by path, in the structure of ``space``."""
    if isinstance(space, spaces.Dict):
        return {key: arrange(part, parts, (*path, key)) for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(arrange(part, parts, (*path, i)) for i, part in enumerate(space.spaces))
    return parts[path]
