"""Where the members live: one of Coterie's local executors for each, and a stop-watch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch

from coterie import Executor, LocalExecutor, WorkerError

if TYPE_CHECKING:
    from coterie import Interface, Member, TrainerCfg, Transition

_log = logging.getLogger("coterie_example_climber")


class TimedExecutor(Executor):
    """Runs each member in a local executor of its own and measures the time that it takes.

    Each member gets the scalar ``time/member_ms``, its mean milliseconds per timestep since the
    last row of metrics.
    """

    def __init__(self) -> None:
        self._members: tuple[Member, ...] = ()
        self._places: dict[int, LocalExecutor] = {}
        self._seconds: dict[int, float] = {}
        self._total: dict[int, float] = {}
        self._calls = 0
        self._limit_ms: float | None = None

    def open(
        self,
        members: Sequence[Member],
        interface: Interface,
        mode: Literal["train", "eval"],
        cfg: TrainerCfg,
    ) -> None:
        """Give every member its place; all have their turn before a failure is raised."""
        self._members = tuple(members)
        self._limit_ms = getattr(cfg, "slow_member_ms", None)
        self._places = {member.index: LocalExecutor() for member in members}
        self._total = {member.index: 0.0 for member in members}
        self._start_over()
        self._each(lambda place, member: place.open([member], interface, mode, cfg))
        self._start_over()

    def begin(
        self, observations: Any, states: Any, *, timestep: int, timesteps: int, cut: bool
    ) -> Any:
        """Gather the first actions."""
        at = {"timestep": timestep, "timesteps": timesteps}
        return self._gather(lambda place, _: place.begin(observations, states, cut=cut, **at))

    def advance(self, transition: Transition, observations: Any, states: Any) -> Any:
        """Let every member learn, and gather the next actions."""
        self._calls += 1
        return self._gather(lambda place, _: place.advance(transition, observations, states))

    def finish(self, transition: Transition) -> None:
        """Let every member learn from the last step."""
        self._calls += 1
        self._each(lambda place, _: place.finish(transition))

    def metrics(self) -> list[Mapping[str, float]]:
        """Hand over each member's scalars, with its mean milliseconds per timestep."""
        rows: list[Mapping[str, float]] = []
        for member in self._members:
            (own,) = self._places[member.index].metrics()
            took = 1000 * self._seconds[member.index] / max(1, self._calls)
            self._warn_if_slow(member, took)
            failed = member.status == "failed"
            rows.append(own if failed else {**own, "time/member_ms": took})
        self._start_over()
        return rows

    def snapshot(
        self, members: Sequence[Member] | None = None, *, learned: bool = False
    ) -> dict[int, dict[str, Any]]:
        """Gather the members' states."""
        states: dict[int, dict[str, Any]] = {}
        for member in self._members if members is None else members:
            states.update(self._places[member.index].snapshot([member], learned=learned))
        return states

    def restore(self, member: Member, state: dict[str, Any]) -> None:
        """Pass a state on to its member."""
        self._places[member.index].restore(member, state)

    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> None:
        """Pass settings on to their member."""
        self._places[member.index].reconfigure(member, settings)

    def settle(self, members: Sequence[Member]) -> None:
        """End the run for every member."""
        for member in members:
            self._places[member.index].settle([member])

    def timings(self) -> Mapping[str, float]:
        """Seconds that each member took since the start of the run."""
        return {member.name: self._total[member.index] for member in self._members}

    def close(self, deadline: float = 5.0) -> None:
        """Give every place back."""
        for place in self._places.values():
            place.close(deadline)
        self._members, self._places = (), {}

    def _start_over(self) -> None:
        self._seconds = {member.index: 0.0 for member in self._members}
        self._calls = 0

    def _each(self, action: Callable[[LocalExecutor, Member], Any]) -> list[Any]:
        """Do something for each member; the others have their turn before a failure is raised."""
        results: list[Any] = []
        failures: list[WorkerError] = []
        for member in self._members:
            start = time.perf_counter()
            try:
                results.append(action(self._places[member.index], member))
            except WorkerError as error:
                failures.append(error)
            took = time.perf_counter() - start
            self._seconds[member.index] += took
            self._total[member.index] += took
        if failures:
            raise failures[0]
        return results

    def _gather(self, action: Callable[[LocalExecutor, Member], Any]) -> Any:
        return _joined(self._each(action))

    def _warn_if_slow(self, member: Member, took: float) -> None:
        if self._limit_ms is not None and took > self._limit_ms:
            _log.warning(
                "member %r took %.3g ms per timestep, more than slow_member_ms = %g",
                member.name,
                took,
                self._limit_ms,
            )


def _joined(trees: Sequence[Any]) -> Any:
    """Join actions of one structure (tensors, dicts and tuples of them) along their rows."""
    first = trees[0]
    if isinstance(first, dict):
        return {key: _joined([tree[key] for tree in trees]) for key in first}
    if isinstance(first, tuple):
        return tuple(_joined(parts) for parts in zip(*trees, strict=True))
    return torch.cat(list(trees))
