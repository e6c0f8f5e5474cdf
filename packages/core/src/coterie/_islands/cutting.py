"""What there is of all instances, cut for islands and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from attrs import evolve

from .._envs.interface import VectorEnv
from .._seeding import derive_seed
from .._types import State
from .records import Start


def cut_start(start: Start, env: VectorEnv, scopes: Sequence[slice]) -> list[Start]:
    """Tell each island where it starts.

    Args:
        start: Where all instances start.
        env: An environment of their kind.
        scopes: The instances of each island.
    """
    if start.resets:
        return [
            evolve(start, seed=_cut_seed(start.seed, scopes, place)) for place in range(len(scopes))
        ]
    assert start.environment is not None
    assert start.boundary is not None
    environments = env.split_state(start.environment, scopes)
    boundaries = [_cut_boundary(start.boundary, scope) for scope in scopes]
    return [
        Start(resets=False, environment=environment, boundary=boundary)
        for environment, boundary in zip(environments, boundaries, strict=True)
    ]


def join_surroundings(parts: Sequence[State], env: VectorEnv) -> State:
    """Put together what islands have around their members.

    Args:
        parts: What each has, in order of their instances.
        env: An environment of their kind.
    """
    return {
        "environment": env.join_states([part["environment"] for part in parts]),
        "boundary": _join_boundaries([part["boundary"] for part in parts]),
    }


def _cut_seed(seed: Any, scopes: Sequence[slice], place: int) -> Any:
    """Seed an island; where instances share one stream, each island has one of its own."""
    if isinstance(seed, int):
        return seed if place == 0 else derive_seed(seed, "island", place) % 2**31
    return seed if seed is None else list(seed[scopes[place]])


def _cut_boundary(state: State, scope: slice) -> State:
    cut: State = {
        "observations": [part[scope] for part in state["observations"]],
        "states": None if state["states"] is None else [part[scope] for part in state["states"]],
        "resetting": state["resetting"][scope],
    }
    if "presence" in state:
        cut["presence"] = {"gone": state["presence"]["gone"][:, scope]}
    return cut


def _join_boundaries(states: Sequence[State]) -> State:
    first = states[0]
    joined: State = {
        "observations": _cat_each([state["observations"] for state in states]),
        "states": None
        if first["states"] is None
        else _cat_each([state["states"] for state in states]),
        "resetting": torch.cat([state["resetting"] for state in states]),
    }
    if "presence" in first:
        joined["presence"] = {"gone": torch.cat([s["presence"]["gone"] for s in states], 1)}
    return joined


def _cat_each(lists: Sequence[Sequence[torch.Tensor]]) -> list[torch.Tensor]:
    return [torch.cat(parts) for parts in zip(*lists, strict=True)]
