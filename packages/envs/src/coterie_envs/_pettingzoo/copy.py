"""One copy of a parallel environment, and what is true of its actors. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from attrs import frozen
from gymnasium import spaces

from coterie import EnvContractError

from .layout import Array, Key, Layout, arrange, space_parts

_SHOW_ALL = (
    "a team's actors must all be there when an episode begins: let the environment return those "
    "that wait with an observation and reward 0, or leave them out of possible_agents"
)


@frozen
class Part:
    """An array ``[N, *shape]`` that a part of a value is written to.

    Attributes:
        path: Keys and positions that lead to the part.
        shape: Its shape.
        array: The array.
    """

    path: Key
    shape: tuple[int, ...]
    array: Array


class Copy:
    """One parallel environment, which writes what it returns into a row of the arrays.

    Args:
        env: The environment.
        layout: What it observes and does.
        arrays: Of :meth:`Layout.arrays`.
        row: Its row: the number of the instance.
        name: What it is, for messages.
    """

    def __init__(
        self, env: Any, layout: Layout, arrays: Mapping[Key, Array], row: int, name: str
    ) -> None:
        self.env = env
        self._row = row
        self._place = f"{name}, instance {row}"
        self._agents = layout.agents
        self._everyone = frozenset(layout.agents)
        kinds = ("observation", layout.observations), ("action", layout.actions)
        found = [_parts(kind, by_actor, layout, arrays) for kind, by_actor in kinds]
        self._observations, self._actions = found
        self._action_spaces = dict(zip(layout.agents, layout.actions.values(), strict=True))
        self._state = [] if layout.state is None else _state_parts(layout.state, arrays)
        flags = ("rewards",), ("terminated",), ("truncated",)
        self._rewards, self._terminated, self._truncated = (arrays[key][:, row] for key in flags)
        self._number = {agent: i for i, agent in enumerate(layout.agents)}
        self._live: set[Any] = set()
        self._left: list[Any] = []  # ended in the last step: their rows are still to be cleared
        self._absent: set[Any] = set()

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> Mapping[Any, Any]:
        """Begin an episode, with all actors.

        Returns:
            The environment's infos, by agent.

        Raises:
            EnvContractError: An actor is missing, or a value does not fit its space.
        """
        observations, infos = self.env.reset(seed=seed, options=options)
        missing = [agent for agent in self._agents if agent not in observations]
        if missing:
            raise EnvContractError(
                f"{self._place}: the episode began without {_list(missing)}; {_SHOW_ALL}"
            )
        self._live, self._left, self._absent = set(self._agents), [], set()
        self._rewards[:] = 0
        self._terminated[:] = self._truncated[:] = False
        self._look(self._agents, observations)
        self._follow()
        return infos or {}

    def step(self) -> Mapping[Any, Any]:
        """Do one step with the actions that stand in the arrays.

        Returns:
            The environment's infos, by agent.

        Raises:
            EnvContractError: The episode is over, actors came or went in ways that a team can't
                follow, or a value does not fit its space.
        """
        if not self._live:
            raise EnvContractError(
                f"{self._place}: the episode is over or did not begin; reset it with "
                'options={"reset_mask": ...} before the next step'
            )
        self._clear()
        actions = {agent: self._action(agent) for agent in self.env.agents}
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        live = [agent for agent in self._agents if agent in self._live]
        self._look(live, observations)
        for agent in live:
            i = self._number[agent]
            try:
                self._rewards[i] = rewards[agent]
                self._terminated[i], self._truncated[i] = terminated[agent], truncated[agent]
            except KeyError:
                raise self._nothing("reward and flags", agent) from None
            if terminated[agent] or truncated[agent]:
                self._live.discard(agent)
                self._left.append(agent)
        self._follow()
        return infos or {}

    def _clear(self) -> None:
        """Fill the rows of actors that are gone with zeros."""
        for agent in self._left:
            i = self._number[agent]
            self._rewards[i], self._terminated[i], self._truncated[i] = 0, False, False
            for part in self._observations[agent]:
                part.array[self._row] = 0
        self._left = []

    def _action(self, agent: Any) -> Any:
        parts = self._actions[agent]
        if len(parts) == 1 and not parts[0].path:
            return parts[0].array[self._row].copy()
        values = {part.path: part.array[self._row].copy() for part in parts}
        return arrange(self._action_spaces[agent], values)

    def _look(self, agents: Iterable[Any], observations: Mapping[Any, Any]) -> None:
        for agent in agents:
            if agent not in observations:
                raise self._nothing("observation", agent)
            self._write(self._observations[agent], observations[agent], f"observation of {agent!r}")
        if self._state:
            self._write(self._state, self.env.state(), "state")

    def _write(self, parts: Iterable[Part], value: Any, what: str) -> None:
        for part in parts:
            found = value
            try:
                for key in part.path:
                    found = found[key]
            except (LookupError, TypeError):
                label = ".".join(map(str, part.path))
                raise EnvContractError(
                    f"{self._place}: the {what} lacks {label!r}, which its space has"
                ) from None
            found = np.asarray(found)
            if found.shape != part.shape or not _fits(found.dtype, part.array.dtype):
                raise EnvContractError(
                    f"{self._place}: the {what}{''.join(f'[{key!r}]' for key in part.path)} is "
                    f"{found.dtype} {found.shape}, its space has {part.array.dtype} {part.shape}"
                )
            part.array[self._row] = found

    def _follow(self) -> None:
        """Check who is there after a step."""
        there = self.env.agents
        if len(there) == len(self._live) and self._live.issuperset(there):
            self._absent = set(self._everyone - self._live)
            return
        strangers = [agent for agent in there if agent not in self._everyone]
        back = [agent for agent in there if agent in self._absent]
        lost = [agent for agent in self._agents if agent in self._live and agent not in there]
        if strangers:
            raise EnvContractError(
                f"{self._place}: {_list(strangers)} appeared, which possible_agents does not "
                f"name; {_SHOW_ALL}"
            )
        if back:
            raise EnvContractError(
                f"{self._place}: {_list(back)} came back in an episode in which it had ended; "
                "an actor of a team ends once: let it wait with reward 0 and an observation that "
                "says so, and set its flags only when it will not come back"
            )
        if lost:
            raise EnvContractError(
                f"{self._place}: {_list(lost)} left env.agents, but neither terminated nor "
                "truncated; set one of the two in the actor's last step"
            )
        self._absent = set(self._everyone.difference(there)) - self._live

    def _nothing(self, what: str, agent: Any) -> EnvContractError:
        return EnvContractError(
            f"{self._place}: step() returned no {what} of {agent!r}, which has not ended; "
            "it must return them for every actor up to the step that ends it"
        )


def _parts(
    kind: str,
    by_actor: Mapping[str, spaces.Space[Any]],
    layout: Layout,
    arrays: Mapping[Key, Array],
) -> dict[Any, list[Part]]:
    return {
        agent: [
            Part(path, shape, arrays[(kind, actor, *path)])
            for path, shape, _ in space_parts(by_actor[actor])
        ]
        for agent, actor in zip(layout.agents, layout.actors, strict=True)
    }


def _state_parts(space: spaces.Space[Any], arrays: Mapping[Key, Array]) -> list[Part]:
    return [Part(path, shape, arrays[("state", *path)]) for path, shape, _ in space_parts(space)]


@cache
def _fits(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether values can be converted without becoming others: not from floats to integers."""
    if given.kind in "iu" and wanted.kind in "iu":
        return True
    return np.can_cast(given, wanted, "same_kind")


def _list(agents: Iterable[Any]) -> str:
    return ", ".join(repr(agent) for agent in agents)
