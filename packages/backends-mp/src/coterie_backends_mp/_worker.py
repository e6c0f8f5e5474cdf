"""A worker process: it waits for commands and lets its members work. Knows no trainer."""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ._arrays import Arena, Arrays, Layout
from ._block import Block
from ._board import Command, Flag
from ._channel import Channel
from ._device import DeviceShare
from ._messages import Answer, Ask, FailureReport, Open
from ._output import Output
from ._packing import unpack, unpack_small
from ._reports import report
from ._seat import Seat
from ._signal import Signal
from ._spin import Spinner
from ._system import known_cores, stay_on

_NO_INFOS: dict[int, Any] = {}
CRASHED = 70  # exit code of a worker that failed outside of the members' code


class Worker:
    """The members of one process, and what they are told to do.

    Args:
        number: Number of the worker.
        channel: To the trainer.
        go: Waits for the trainer's commands.
        done: Tells the trainer of answers.
        block: The shared block.
        output: Standard output and error.
    """

    def __init__(
        self,
        number: int,
        channel: Channel,
        go: Signal,
        done: Signal,
        block: Block,
        output: Output,
    ) -> None:
        self._channel, self._go, self._done, self._block = channel, go, done, block
        self._output = output
        self._row = block.board.row(number)
        self._seats: dict[int, Seat] = {}
        self._turn: Seat | None = None
        self._share: DeviceShare | None = None
        self._cores = known_cores()
        self._round = 0
        self._spinner = Spinner()

    def serve(self) -> None:
        """Do what the trainer asks for, until it says stop."""
        board, row, now = self._block.board, self._row, time.perf_counter_ns
        while True:
            self._wait()
            start = now()
            command, flags, timestep, timesteps = board.read_command()
            if command == Command.STOP:
                self._seats.clear()
                self._turn = self._share = None  # a device's memory is counted; give it back
                return
            if command == Command.MESSAGE:
                self._channel.send(self._handle(self._channel.receive()[0]))
                failures = []
            else:
                if self._share is not None:
                    self._share.follow()
                failures = self._step(command, flags, timestep, timesteps)
                if self._share is not None:
                    self._share.mark_done()
                if failures:
                    self._channel.send(Answer(results={}, failures=tuple(failures)))
            row.answer(self._round, bool(failures), now() - start)
            self._done.send()

    def _wait(self) -> None:
        """Wait for the next round, for a moment awake: falling asleep can cost more than it."""
        row = self._row
        if not self._spinner.wait(lambda: row.asked != self._round):
            while row.asked == self._round:  # wake-ups of rounds that came in time are still there
                self._go.wait()
        self._round = row.asked

    def _handle(self, message: Any) -> Answer:
        if isinstance(message, Open):
            return self._open(message)
        assert isinstance(message, Ask)
        results: dict[int, Any] = {}

        def work(seat: Seat) -> None:
            results[seat.index] = getattr(seat, message.what)(message.argument[seat.index])

        failures = self._each(work, [i for i in message.argument if i in self._seats])
        return Answer(results=results, failures=tuple(failures))

    def _open(self, message: Open) -> Answer:
        self._seats.clear()
        self._turn = None
        torch.set_num_threads(message.threads)
        stay_on(self._cores if message.core is None else [message.core])
        interface = unpack(message.interface)
        layout = Layout(scopes=message.scopes, guarded=message.debug)
        done = self._map(message.ticket)
        if self._share is None:
            arrays = self._block.arrays(interface, layout)
        else:
            arrays = Arrays(Arena(self._share.memory), interface, layout)
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
        return Answer(results={}, failures=tuple(failures), done=done)

    def _map(self, ticket: bytes | None) -> bytes | None:
        """Map the memory of a device; return the handle of this worker's event there."""
        if ticket is None:
            return None
        self._share = DeviceShare(unpack_small(ticket))
        return self._share.handle()

    def _step(self, command: int, flags: int, timestep: int, timesteps: int) -> list[FailureReport]:
        if command == Command.BEGIN:
            return self._each(lambda seat: seat.begin(flags, timestep, timesteps), self._seats)
        infos = self._receive_infos() if flags & Flag.INFOS else _NO_INFOS
        if command == Command.ADVANCE:
            return self._each(lambda seat: seat.advance(flags, infos.get(seat.index)), self._seats)
        return self._each(lambda seat: seat.finish(flags, infos.get(seat.index)), self._seats)

    def _each(
        self, work: Callable[[Seat], None], indices: Sequence[int] | dict[int, Seat]
    ) -> list[FailureReport]:
        """Let members work in turn; one that fails is dropped, the others go on."""
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

    def _receive_infos(self) -> dict[int, Any]:
        """Take infos per member, if any of the members here reads them."""
        if not any(seat.uses_infos for seat in self._seats.values()):
            return {}
        packed: dict[int, bytes] = self._channel.receive()[0]
        return {
            index: unpack_small(packed[index]) if index in packed else {} for index in self._seats
        }


def run(number: int, workers: int, fds: Sequence[int], log: int) -> None:
    """Be a worker, from the descriptors to the end of the process; does not return.

    Args:
        number: Number of the worker.
        workers: How many there are.
        fds: The channel's socket, the block, and the two signals.
        log: Descriptor that stacks are written to when this process crashes or hangs.
    """
    code = CRASHED
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        faulthandler.enable(file=log, all_threads=True)
        if hasattr(faulthandler, "register"):
            faulthandler.register(signal.SIGUSR1, file=log, all_threads=True)
        _make(number, workers, fds).serve()
        code = 0
    except EOFError:
        code = 0
    except BaseException:
        os.write(log, traceback.format_exc().encode(errors="replace"))
    finally:
        _leave(code)


def _make(number: int, workers: int, fds: Sequence[int]) -> Worker:
    import socket

    sock, block, *signals = fds
    half = len(signals) // 2
    made = Worker(
        number,
        Channel(socket.socket(fileno=sock)),
        Signal(signals[:half]),
        Signal(signals[half:]),
        Block(block, workers),
        Output(),
    )
    os.close(block)
    return made


def _leave(code: int) -> None:
    """End the process: what agents registered for the exit is run, threads are not waited for."""
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            getattr(stream, "finish", stream.flush)()
    finally:
        os._exit(code)
