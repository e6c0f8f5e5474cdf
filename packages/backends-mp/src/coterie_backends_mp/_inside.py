"""The members of a worker in the hands of another trainer's executor, which may stack them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from coterie.spaces import leaf_of, space_leaves, tree_map

from ._arrays import Arrays
from ._board import Command, Flag, Row
from ._messages import FailureReport, Open, SeatSpec
from ._output import Output
from ._packing import pack, to_cpu, unpack, unpack_small
from ._reports import report

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
_KINDS = Flag.SAME | Flag.ALL_VALID | Flag.STATES | Flag.ODD


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
        self._transitions: dict[int, Transition[Any]] = {}

    def open(self, message: Open, interface: Interface, arrays: Arrays) -> list[FailureReport]:
        """Take the members over, and let the executor get them ready."""
        row, specs = self._row, message.seats
        row.member, row.timestep, row.phase = _NOBODY, None, "load"
        self._output.belongs_to(", ".join(spec.name for spec in specs if not spec.failed))
        self._reported = {spec.index for spec in specs if spec.failed}
        self._arrays, self._place = arrays, message.place
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
        self._views = tuple(
            (tree.slot(self._place), None if states is None else states.slot(self._place))
            for tree, states in zip(arrays.observations, arrays.states, strict=True)
        )
        actions = arrays.actions.slot(self._place)
        leaves = space_leaves(interface.action_space)
        self._targets = [(leaf_of(actions, leaf.path), leaf.path) for leaf in leaves]
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
        answered = self._answered(flags)
        if command == Command.BEGIN:
            at: Any = {"timestep": timestep, "timesteps": timesteps, "cut": bool(flags & Flag.CUT)}
            observations, states = self._own(answered)
            return self._guard(
                "reset", lambda: self._put(executor.begin(observations, states, **at))
            )
        told = infos.get(self._members[0].index)
        transition = self._transition(flags, None if told is None else unpack_small(told))
        if command == Command.FINISH:
            return self._guard("record", lambda: executor.finish(transition))
        same = flags & Flag.SAME
        ends = transition.next_observations, transition.next_states
        observations, states = ends if same else self._own(answered)
        return self._guard(
            "record", lambda: self._put(executor.advance(transition, observations, states))
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
        self._row.phase = "reconfigure" if what == "reconfigure" else "state"
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

    def _answered(self, flags: int) -> tuple[Any, Any]:
        """The observations and states that the next actions answer."""
        observations, states = self._views[1 if flags & Flag.ODD else 0]
        return observations, states if flags & Flag.STATES else None

    def _transition(self, flags: int, infos: Any) -> Transition[Any]:
        """The step of all instances here, as it lies in the shared block."""
        key = flags & _KINDS
        if key not in self._transitions:
            self._transitions[key] = self._lay_transition(key)
        found = self._transitions[key]
        if self._copies:
            found = _copied(found)
        return evolve(found, infos=infos) if infos else found

    def _own(self, trees: tuple[Any, Any]) -> tuple[Any, Any]:
        """Copy observations and states where an agent may keep them."""
        return (_copy(trees[0]), _copy(trees[1])) if self._copies else trees

    def _lay_transition(self, flags: int) -> Transition[Any]:
        arrays, place = self._arrays, self._place
        ends, end_states = self._answered(flags)
        before, before_states = self._answered(flags ^ Flag.ODD)
        if not flags & Flag.SAME:
            ends = arrays.final_observations.slot(place)
            if end_states is not None:
                end_states = arrays.final_states.slot(place)
        return Transition(
            observations=before,
            actions=arrays.actions.slot(place),
            rewards=arrays.rewards.slot(place),
            next_observations=ends,
            terminated=arrays.terminated.slot(place),
            truncated=arrays.truncated.slot(place),
            valid=arrays.valid.slot(place),
            all_valid=bool(flags & Flag.ALL_VALID),
            states=before_states,
            next_states=end_states,
            ended=None if arrays.ended is None else arrays.ended.slot(place),
        )

    def _put(self, actions: Any) -> None:
        """Write actions to the shared block."""
        for target, path in self._targets:
            target.copy_(leaf_of(actions, path))


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
        return pack(to_cpu(executor.snapshot([member])[member.index]))
    assert argument is not None
    getattr(executor, what)(member, unpack(argument))
    return None
