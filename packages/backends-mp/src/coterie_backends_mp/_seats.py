"""The members of a worker, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coterie import Interface
from coterie.transport import unpack_small

from ._arrays import Arrays
from ._board import Command, Row
from ._messages import FailureReport, Open
from ._output import Output
from ._reports import report
from ._seat import Seat


class Seats:
    """Lets the members of a worker work in turn; one that fails is dropped, the others go on.

    Args:
        row: Where the worker notes what it is doing.
        output: Standard output and error.
    """

    def __init__(self, row: Row, output: Output) -> None:
        self._row, self._output = row, output
        self._seats: dict[int, Seat] = {}
        self._turn: Seat | None = None

    def open(self, message: Open, interface: Interface, arrays: Arrays) -> list[FailureReport]:
        """Take the members over, and get them ready."""
        failures = []
        for spec in message.seats:
            self._output.belongs_to(spec.name)
            self._row.member, self._row.timestep, self._row.phase = spec.index, None, "load"
            try:
                seat = Seat(self._row, spec, interface, message, arrays)
                seat.driver.setup()
                self._seats[spec.index] = seat
            except BaseException as error:
                failures.append(report(spec.index, self._row.phase, None, error))
        return failures

    @property
    def uses_infos(self) -> bool:
        """Whether any of the members reads infos."""
        return any(seat.uses_infos for seat in self._seats.values())

    @property
    def notes(self) -> str:
        """What is to be told of how the members work: nothing."""
        return ""

    def step(
        self, command: int, flags: int, timestep: int, timesteps: int, infos: Mapping[int, bytes]
    ) -> list[FailureReport]:
        """Do what the trainer asks every member for.

        Args:
            command: One of :class:`Command`.
            flags: What must be known about it.
            timestep: The timestep.
            timesteps: Where the count of timesteps ends.
            infos: By index of the member, packed.
        """
        if command == Command.BEGIN:
            return self._each(lambda seat: seat.begin(flags, timestep, timesteps), self._seats)
        told = {i: unpack_small(packed) for i, packed in infos.items()} if infos else infos
        if command == Command.ADVANCE:
            return self._each(lambda seat: seat.advance(flags, told.get(seat.index)), self._seats)
        return self._each(lambda seat: seat.finish(flags, told.get(seat.index)), self._seats)

    def ask(
        self, what: str, argument: Mapping[int, bytes | None]
    ) -> tuple[dict[int, Any], list[FailureReport]]:
        """Do something with some members, between two steps.

        Args:
            what: ``"metrics"``, ``"snapshot"``, ``"handover"``, ``"save"``, ``"restore"`` or
                ``"reconfigure"``.
            argument: By index of the member, packed.

        Returns:
            What came out, by index of the member, and what failed.
        """
        results: dict[int, Any] = {}

        def work(seat: Seat) -> None:
            results[seat.index] = getattr(seat, what)(argument[seat.index])

        return results, self._each(work, [i for i in argument if i in self._seats])

    def _each(self, work: Callable[[Seat], None], indices: Iterable[int]) -> list[FailureReport]:
        failures = []
        for index in tuple(indices):
            seat = self._seats[index]
            if self._turn is not seat:
                self._turn = seat
                self._row.member, self._row.timestep = index, seat.driver.timestep
                self._output.belongs_to(seat.name)
            try:
                work(seat)
            except BaseException as error:
                driver = seat.driver
                failures.append(report(index, driver.phase, driver.timestep, error))
                del self._seats[index]
        return failures
