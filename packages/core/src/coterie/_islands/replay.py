"""What happened on islands, gone through again timestep after timestep."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from .._agents.transition import Transition
from .errors import unpack_error
from .fleet import Lane
from .records import Failure, Stretch


class Replay:
    """Puts the stretches of all islands together to steps of the whole environment.

    Args:
        lanes: The islands, in order of their instances.
        first: The first timestep.
        actors: Actors of a multi-agent environment; empty for any other.
    """

    def __init__(self, lanes: Sequence[Lane], first: int, actors: Sequence[str]) -> None:
        self._lanes, self._actors, self._at = lanes, tuple(actors), first
        self._stretches: dict[int, deque[Stretch]] = {lane.number: deque() for lane in lanes}
        self._reached = {lane.number: first for lane in lanes}
        self._failures: dict[int, list[Failure]] = {}
        self._metrics: dict[int, dict[int, Mapping[str, float]]] = {}
        self._errors: dict[int, bytes] = {}
        self._lost: set[int] = set()
        self._chunk: dict[str, Any] = {}
        self._chunk_first, self._chunk_stop = first, first

    def add(self, lane: Lane, stretch: Stretch) -> None:
        """Take note of an island's next stretch."""
        if stretch.steps:
            self._stretches[lane.number].append(stretch)
        self._reached[lane.number] = stretch.stop
        for failure in stretch.failures:
            assert failure.timestep is not None
            self._failures.setdefault(failure.timestep, []).append(failure)
        for timestep, rows in stretch.metrics.items():
            self._metrics.setdefault(timestep, {}).update(rows)
        if stretch.error is not None:
            self._errors[stretch.stop] = stretch.error

    def lose(self, lane: Lane, failures: Sequence[Failure]) -> None:
        """Take note that nothing more comes from an island: its rewards are 0 from now on."""
        self._lost.add(lane.number)
        self._failures.setdefault(self.reached(lane), []).extend(failures)

    def misses(self, lane: Lane) -> bool:
        """Whether nothing more comes from an island."""
        return lane.number in self._lost

    def reached(self, lane: Lane) -> int:
        """How many timesteps of an island are here."""
        return self._reached[lane.number]

    def take(self) -> Transition[Any] | None:
        """Return the next step, without observations and actions; ``None``: it is not there yet."""
        if self._at == self._chunk_stop and not self._assemble():
            return None
        row = self._at - self._chunk_first
        self._at += 1
        parts = {name: _row(part, row) for name, part in self._chunk.items()}
        valid = parts.get("valid")
        return Transition(
            observations=(),
            actions=(),
            rewards=parts["rewards"],
            next_observations=(),
            terminated=parts["terminated"],
            truncated=parts["truncated"],
            valid=self._every() if valid is None else valid,
            all_valid=valid is None,
            ended=parts.get("ended"),
        )

    def failures(self) -> list[Failure]:
        """Return who failed in the step that was taken last."""
        return self._failures.pop(self._at - 1, [])

    def failures_left(self) -> list[Failure]:
        """Return everybody else who failed."""
        left = [failure for found in self._failures.values() for failure in found]
        self._failures.clear()
        return left

    def metrics(self) -> Mapping[int, Mapping[str, float]] | None:
        """Return the scalars that were handed over after it, by member; ``None``: none were."""
        return self._metrics.pop(self._at, None)

    def error(self) -> BaseException | None:
        """Return what was raised in the next step on an island; ``None``: nothing was."""
        packed = self._errors.get(self._at)
        return None if packed is None else unpack_error(packed)

    def _assemble(self) -> bool:
        """Put together as many steps as there are of all islands."""
        alive = [lane for lane in self._lanes if lane.number not in self._lost]
        known = [self._reached[lane.number] for lane in alive]
        # Of a lost island there may be some steps still.
        known += [r for n, r in self._reached.items() if n in self._lost and r > self._at]
        stop = min(known, default=self._at)
        if stop <= self._at:
            return False
        parts = [self._cut(lane, stop) for lane in self._lanes]
        names = {name for part in parts if part is not None for name in part}
        blank = next(part for part in parts if part is not None)
        filled = [
            _blank(blank, lane.scope.stop - lane.scope.start) if part is None else part
            for lane, part in zip(self._lanes, parts, strict=True)
        ]
        self._chunk = {name: _join([part[name] for part in filled]) for name in names}
        self._chunk_first, self._chunk_stop = self._at, stop
        return True

    def _cut(self, lane: Lane, stop: int) -> dict[str, Any] | None:
        """Take an island's rows of the steps up to one; ``None``: it has none."""
        stretches = self._stretches[lane.number]
        pieces = []
        while stretches and stretches[0].first < stop:
            front = stretches[0]
            rows = slice(max(self._at - front.first, 0), stop - front.first)
            pieces.append({name: _rows(part, rows) for name, part in front.outcome.items()})
            if front.stop > stop:
                break
            stretches.popleft()
        if not pieces:
            return None
        return {name: _append([piece[name] for piece in pieces]) for name in pieces[0]}

    def _every(self) -> Any:
        rewards = self._chunk["rewards"]
        each = next(iter(rewards.values())) if isinstance(rewards, dict) else rewards
        every = torch.ones(each.shape[1], dtype=torch.bool)
        return dict.fromkeys(self._actors, every) if self._actors else every


def _rows(part: Any, rows: slice) -> Any:
    return {k: _rows(v, rows) for k, v in part.items()} if isinstance(part, dict) else part[rows]


def _row(part: Any, row: int) -> Any:
    return {k: _row(v, row) for k, v in part.items()} if isinstance(part, dict) else part[row]


def _append(parts: list[Any]) -> Any:
    """Concatenate arrays in time."""
    if isinstance(parts[0], dict):
        return {name: _append([part[name] for part in parts]) for name in parts[0]}
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _join(parts: list[Any]) -> Any:
    """Concatenate arrays over instances, and turn them into tensors."""
    if isinstance(parts[0], dict):
        return {name: _join([part[name] for part in parts]) for name in parts[0]}
    return torch.from_numpy(np.concatenate(parts, axis=1))


def _blank(like: Any, instances: int) -> Any:
    """Make arrays of zeros like some others, for another number of instances."""
    if isinstance(like, dict):
        return {name: _blank(part, instances) for name, part in like.items()}
    return np.zeros((like.shape[0], instances), like.dtype)
