"""Random actions that differ from step to step, and from member to member.

skrl draws random actions by ``space.sample()`` of a batched copy of the action space, whose
generator is a copy too: it draws the same actions every time, and they depend on whatever seeded
the environment's space. Here the spaces have a generator of the member's own while it acts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium import spaces
from torch import nn

from coterie import State, derive_seed


def may_draw_actions(agent: Any) -> bool:
    """Whether an agent may draw random actions: skrl's that explore so do, and anybody else's.

    Args:
        agent: The agent of skrl.
    """
    if not type(agent).__module__.startswith("skrl."):
        return True
    return any(hasattr(agent.cfg, name) for name in ("random_timesteps", "exploration_scheduler"))


class SpaceStreams:
    """The generators of action spaces, as a member sees them.

    Args:
        models: The networks that may draw from their action space.
        seed: Seed of the member.
    """

    def __init__(self, models: list[nn.Module], seed: int) -> None:
        found = {id(space): space for model in models for space in _spaces_of(model)}
        self._spaces = list(found.values())
        self._bits = np.random.PCG64(derive_seed(seed, "action_space"))

    @contextmanager
    def active(self) -> Iterator[None]:
        """Give every space a fresh stream of the member's for as long as the member acts."""
        before = [space._np_random for space in self._spaces]
        for space in self._spaces:
            space._np_random = np.random.Generator(np.random.PCG64(self._bits.random_raw()))
        try:
            yield
        finally:
            for space, generator in zip(self._spaces, before, strict=True):
                space._np_random = generator

    def state_dict(self) -> State:
        """Return the state of the member's stream as plain values."""
        inner: State = dict(self._bits.state)
        return inner | {"state": {key: str(value) for key, value in inner["state"].items()}}

    def load_state_dict(self, state: State) -> None:
        """Take over what :meth:`state_dict` returned."""
        numbers = {key: int(value) for key, value in state["state"].items()}
        self._bits.state = state | {"state": numbers}  # type: ignore[assignment]


def _spaces_of(model: nn.Module) -> list[spaces.Space[Any]]:
    space = getattr(model, "action_space", None)
    return [] if space is None else _with_parts(space)


def _with_parts(space: spaces.Space[Any]) -> list[spaces.Space[Any]]:
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        return [space, *(inner for part in parts for inner in _with_parts(part))]
    return [space]
