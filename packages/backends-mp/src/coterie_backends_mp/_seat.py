"""A member in a worker: its driver, and where its actions go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve

from coterie import Interface, Member, RowsDriver, State, Transition, save_member
from coterie.transport import pack, to_cpu, unpack

from ._arrays import Arrays
from ._board import Flag, Row
from ._messages import Open, Refusal, SeatSpec
from ._refusals import refusal
from ._saved import saved
from ._slot import Slot


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
        self._slot = Slot(arrays, spec.index, interface)

    def begin(self, flags: int, timestep: int, timesteps: int) -> None:
        """Answer the first observations of a run."""
        observations, states = self._slot.answered(flags)
        actions = self.driver.begin(
            observations, states, timestep=timestep, timesteps=timesteps, cut=bool(flags & Flag.CUT)
        )
        self._slot.put(actions)

    def advance(self, flags: int, infos: Any) -> None:
        """Record a step, learn, and answer the next observations."""
        observations, states = self._slot.answered(flags)
        transition = self._transition(flags, infos)
        self._slot.put(self.driver.advance(transition, observations, states))

    def finish(self, flags: int, infos: Any) -> None:
        """Record the last step and learn."""
        self.driver.finish(self._transition(flags, infos))

    def _transition(self, flags: int, infos: Any) -> Transition[Any]:
        found = self._slot.transition(flags)
        return evolve(found, infos=infos) if infos else found

    def metrics(self, _: bytes | None) -> dict[str, float]:
        """Hand over the agent's scalars."""
        return self.driver.metrics()

    def snapshot(self, learned: bytes | None) -> bytes:
        """Hand over the member's state, or what it learned, in the main memory."""
        state = self.driver.snapshot(learned=learned is not None)
        with self.driver.during("state"):
            return pack(to_cpu(state))

    def handover(self, _: bytes | None) -> bytes:
        """Hand over what the member goes on from elsewhere, in the main memory."""
        state = self.driver.handover()
        with self.driver.during("state"):
            return pack(to_cpu(state))

    def save(self, folder: bytes | None) -> bytes:
        """Write the agent to its file in a folder; hand over the random streams, or what failed."""
        assert folder is not None
        state = self.driver.snapshot()
        self.driver.phase = "save"
        return saved(lambda: self._write(unpack(folder), state))

    def _write(self, folder: str, state: State) -> State | None:
        save_member(Path(folder), self.driver.member, state["agent"])
        streams: State | None = state["streams"]
        return streams

    def restore(self, state: bytes | None) -> Refusal | None:
        """Take over a state, or say why not."""
        assert state is not None
        self.driver.phase = "state"
        given = unpack(state)
        return refusal(lambda: self.driver.restore(given))

    def reconfigure(self, settings: bytes | None) -> Refusal | None:
        """Change settings of the agent, or say why not."""
        assert settings is not None
        self.driver.phase = "reconfigure"
        given = unpack(settings)
        return refusal(lambda: self.driver.reconfigure(given))
