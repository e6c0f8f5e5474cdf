"""The members of a worker in the hands of another trainer's executor, which may stack them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from attrs import evolve

from coterie import (
    Executor,
    Interface,
    Member,
    Transition,
    WorkerError,
    WorkerStartError,
)
from coterie.spaces import tree_map
from coterie.transport import pack, to_cpu, unpack, unpack_small

from ._arrays import Arrays
from ._board import Command, Flag, Row
from ._messages import FailureReport, Open, SeatSpec
from ._output import Output
from ._refusals import refusal
from ._reports import report
from ._saved import saved
from ._slot import Slot

_NOBODY = -1
_TENSORS = (
    "observations",
    "actions",
    "rewards",
    "next_observations",
    "terminated",
    "truncated",
    "valid",
    "states",
    "next_states",
    "ended",
)


class Inside:
    """Gives the instances of a worker's members to one executor, as if there were no others.

    A member that fails is the executor's business: it acts at random there until the run ends,
    and is reported here.

    Args:
        row: Where the worker notes what it is doing.
        output: Standard output and error.

    Attributes:
        uses_infos: Whether any of the members reads infos.
    """

    def __init__(self, row: Row, output: Output) -> None:
        self.uses_infos = False
        self._row, self._output = row, output
        self._members: list[Member] = []
        self._executor: Executor | None = None
        self._reported: set[int] = set()

    def open(self, message: Open, interface: Interface, arrays: Arrays) -> list[FailureReport]:
        """Take the members over, and let the executor get them ready."""
        row, specs = self._row, message.seats
        row.member, row.timestep, row.phase = _NOBODY, None, "load"
        self._output.belongs_to(", ".join(spec.name for spec in specs if not spec.failed))
        self._reported = {spec.index for spec in specs if spec.failed}
        try:
            assert message.inside is not None
            trainer, cfg = unpack(message.inside)
            self._members = [_member(spec, specs[0].first) for spec in specs]
            executor: Executor = trainer.make_inner_executor()
        except BaseException as error:
            rest = [spec.index for spec in specs if not spec.failed]
            return [self._report(index, error) for index in rest]
        self._executor = executor
        agents = [member.agent for member in self._members]
        self._copies = any(getattr(agent, "keeps_transitions", False) for agent in agents)
        self.uses_infos = any(agent.uses_infos for agent in agents)
        self._slot = Slot(arrays, message.place, interface)
        own = evolve(interface, num_envs=specs[-1].stop - specs[0].first)
        return self._guard("setup", lambda: executor.open(self._members, own, message.mode, cfg))

    @property
    def notes(self) -> str:
        """What the executor tells of how it placed the members."""
        return "" if self._executor is None else self._executor.describe()

    def step(
        self, command: int, flags: int, timestep: int, timesteps: int, infos: Mapping[int, bytes]
    ) -> list[FailureReport]:
        """Do what the trainer asks every member for; arguments as for :class:`Seats`.

        Infos are those of all instances here, under the index of the first member.
        """
        assert self._executor is not None
        executor, self._row.timestep = self._executor, timestep
        answered = self._slot.answered(flags)
        if command == Command.BEGIN:
            at: Any = {"timestep": timestep, "timesteps": timesteps, "cut": bool(flags & Flag.CUT)}
            observations, states = self._own(answered)
            return self._guard(
                "reset", lambda: self._slot.put(executor.begin(observations, states, **at))
            )
        told = infos.get(self._members[0].index)
        transition = self._slot.transition(flags)
        if self._copies:
            transition = _copied(transition)
        if told is not None:
            transition = evolve(transition, infos=unpack_small(told))
        if command == Command.FINISH:
            return self._guard("record", lambda: executor.finish(transition))
        same = flags & Flag.SAME
        ends = transition.next_observations, transition.next_states
        observations, states = ends if same else self._own(answered)
        return self._guard(
            "record", lambda: self._slot.put(executor.advance(transition, observations, states))
        )

    def ask(
        self, what: str, argument: Mapping[int, bytes | None]
    ) -> tuple[dict[int, Any], list[FailureReport]]:
        """Do something with some members, between two steps; arguments as for :class:`Seats`."""
        executor = self._executor
        results: dict[int, Any] = {}
        failures: list[FailureReport] = []
        members = [m for m in self._members if m.index in argument and m.failure is None]
        if executor is None or not members:
            return results, failures
        if what == "metrics":
            scalars: list[Mapping[str, float]] = []
            failures = self._guard("metrics", lambda: scalars.extend(executor.metrics()))
            found = {m.index: dict(row) for m, row in zip(self._members, scalars, strict=False)}
            return {index: found.get(index, {}) for index in argument}, failures
        self._row.phase = what if what in ("reconfigure", "save") else "state"
        for member in members:
            try:
                results[member.index] = _ask(executor, what, member, argument[member.index])
            except BaseException as error:
                failures.append(self._report(member.index, error))
        return results, failures

    def _guard(self, phase: str, work: Callable[[], Any]) -> list[FailureReport]:
        """Let the executor do something; tell who failed: all, where its own code did."""
        self._row.phase = phase
        try:
            work()
        except BaseException as error:
            rest = [m.index for m in self._members if m.index not in self._reported]
            return [self._report(index, error) for index in rest]
        return [
            self._report(member.index, member.failure)
            for member in self._members
            if member.failure is not None and member.index not in self._reported
        ]

    def _report(self, index: int, error: BaseException) -> FailureReport:
        self._reported.add(index)
        timestep = error.timestep if isinstance(error, WorkerError) else self._row.timestep
        return report(index, self._row.phase, timestep, error)

    def _own(self, trees: tuple[Any, Any]) -> tuple[Any, Any]:
        """Copy observations and states where an agent may keep them."""
        return (_copy(trees[0]), _copy(trees[1])) if self._copies else trees


def _member(spec: SeatSpec, first: int) -> Member:
    """Rebuild a member; its scope is counted from the first instance here."""
    member = Member(
        index=spec.index,
        name=spec.name,
        agent=unpack(spec.agent),
        scope=slice(spec.first - first, spec.stop - first),
        streams=None if spec.streams is None else unpack(spec.streams),
    )
    if spec.failed:
        about = f"agent {spec.index} ({spec.name!r}) failed before this run"
        who: Any = {"agent_index": spec.index, "agent_name": spec.name}
        member.status = "failed"
        member.failure = WorkerStartError(about, phase="start", **who)
    return member


def _copied(transition: Transition[Any]) -> Transition[Any]:
    return evolve(transition, **{name: _copy(getattr(transition, name)) for name in _TENSORS})


def _copy(tree: Any) -> Any:
    return None if tree is None else tree_map(torch.clone, tree)


def _ask(executor: Executor, what: str, member: Member, argument: bytes | None) -> Any:
    if what == "snapshot":
        learned = argument is not None
        return pack(to_cpu(executor.snapshot([member], learned=learned)[member.index]))
    if what == "handover":
        return pack(to_cpu(executor.handover([member])[member.index]))
    assert argument is not None
    if what == "save":
        folder = Path(unpack(argument))
        return saved(lambda: executor.save([member], folder)[member.index])
    given = unpack(argument)
    return refusal(lambda: getattr(executor, what)(member, given))
