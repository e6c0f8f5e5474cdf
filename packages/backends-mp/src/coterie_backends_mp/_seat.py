"""A member in a worker: its driver, and where its actions go."""

from __future__ import annotations

from typing import Any

import torch
from attrs import evolve

from coterie import Interface, Member, RowsDriver, Transition
from coterie.spaces import leaf_of, space_leaves

from ._arrays import Arrays
from ._board import Flag, Row
from ._messages import Open, SeatSpec
from ._packing import pack, to_cpu, unpack

_KINDS = Flag.SAME | Flag.ALL_VALID | Flag.STATES | Flag.ODD


class ReportingDriver(RowsDriver):
    """A driver that lets the trainer see what it is doing, even after this process was killed.

    Args:
        row: Where it notes that.
        member: The member.
        interface: Spaces, number of instances and device of the environment.
        message: How it shall act.
    """

    def __init__(self, row: Row, member: Member, interface: Interface, message: Open) -> None:
        self._row = row
        super().__init__(
            member,
            interface,
            message.mode,
            deterministic=message.deterministic,
            debug=message.debug,
            alone=len(message.seats) == 1,
        )

    @property
    def phase(self) -> str:
        """What the member is doing."""
        return self._row.phase

    @phase.setter
    def phase(self, phase: str) -> None:
        self._row.phase = phase

    @property
    def timestep(self) -> int | None:
        """The timestep that the member is at."""
        return self._timestep

    @timestep.setter
    def timestep(self, timestep: int | None) -> None:
        self._timestep = timestep
        self._row.timestep = timestep


class Seat:
    """A member in a worker.

    Args:
        row: Where the worker notes what it is doing.
        spec: The member.
        interface: Spaces, number of instances and device of the environment.
        message: How it shall act.
        arrays: What it exchanges with the trainer.
    """

    def __init__(
        self, row: Row, spec: SeatSpec, interface: Interface, message: Open, arrays: Arrays
    ) -> None:
        self.index, self.name = spec.index, spec.name
        agent = unpack(spec.agent)
        member = Member(
            index=spec.index,
            name=spec.name,
            agent=agent,
            scope=slice(spec.first, spec.stop),
            streams=None if spec.streams is None else unpack(spec.streams),
        )
        self.agent = agent
        self.uses_infos = bool(agent.uses_infos)
        self.driver = ReportingDriver(row, member, interface, message)
        self._arrays = arrays
        self._views = tuple(
            (tree.slot(spec.index), None if states is None else states.slot(spec.index))
            for tree, states in zip(arrays.observations, arrays.states, strict=True)
        )
        self._transitions: dict[int, Transition[Any]] = {}
        actions = arrays.actions.slot(spec.index)
        self._targets: list[tuple[torch.Tensor, Any]] = [
            (leaf_of(actions, leaf.path), leaf.path)
            for leaf in space_leaves(interface.action_space)
        ]

    def begin(self, flags: int, timestep: int, timesteps: int) -> None:
        """Answer the first observations of a run."""
        observations, states = self._answered(flags)
        actions = self.driver.begin(
            observations, states, timestep=timestep, timesteps=timesteps, cut=bool(flags & Flag.CUT)
        )
        self.put(actions)

    def advance(self, flags: int, infos: Any) -> None:
        """Record a step, learn, and answer the next observations."""
        observations, states = self._answered(flags)
        transition = self._transition(flags, infos)
        self.put(self.driver.advance(transition, observations, states))

    def finish(self, flags: int, infos: Any) -> None:
        """Record the last step and learn."""
        self.driver.finish(self._transition(flags, infos))

    def put(self, actions: Any) -> None:
        """Write actions to the shared block."""
        if isinstance(actions, torch.Tensor):
            self._targets[0][0].copy_(actions)
            return
        for target, path in self._targets:
            target.copy_(leaf_of(actions, path))

    def _answered(self, flags: int) -> tuple[Any, Any]:
        """The observations and states that the next actions answer."""
        observations, states = self._views[1 if flags & Flag.ODD else 0]
        return observations, states if flags & Flag.STATES else None

    def _transition(self, flags: int, infos: Any) -> Transition[Any]:
        """Where the step led to, as it lies in the shared block."""
        key = flags & _KINDS
        if key not in self._transitions:
            self._transitions[key] = self._lay_transition(key)
        found = self._transitions[key]
        return evolve(found, infos=infos) if infos else found

    def _lay_transition(self, flags: int) -> Transition[Any]:
        arrays, index = self._arrays, self.index
        ends, end_states = self._answered(flags)
        if not flags & Flag.SAME:
            ends = arrays.final_observations.slot(index)
            if end_states is not None:
                end_states = arrays.final_states.slot(index)
        return Transition(
            observations=(),
            actions=(),
            rewards=arrays.rewards.slot(index),
            next_observations=ends,
            terminated=arrays.terminated.slot(index),
            truncated=arrays.truncated.slot(index),
            valid=arrays.valid.slot(index),
            all_valid=bool(flags & Flag.ALL_VALID),
            next_states=end_states,
            ended=None if arrays.ended is None else arrays.ended.slot(index),
        )

    def metrics(self, _: bytes | None) -> dict[str, float]:
        """Hand over the agent's scalars."""
        return self.driver.metrics()

    def snapshot(self, _: bytes | None) -> bytes:
        """Hand over the member's state, in the main memory."""
        state = self.driver.snapshot()
        with self.driver.during("state"):
            return pack(to_cpu(state))

    def restore(self, state: bytes | None) -> None:
        """Take over a state."""
        assert state is not None
        self.driver.restore(unpack(state))

    def reconfigure(self, settings: bytes | None) -> None:
        """Change settings of the agent."""
        assert settings is not None
        with self.driver.during("reconfigure"):
            self.agent.reconfigure(unpack(settings))
