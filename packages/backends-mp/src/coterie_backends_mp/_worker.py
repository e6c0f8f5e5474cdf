"""A worker process: it waits for commands and lets its members work. Knows no trainer."""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

import torch

from coterie.transport import unpack, unpack_small

from ._arrays import Arena, Arrays, Layout
from ._block import Block
from ._board import Command, Flag
from ._channel import Channel
from ._device import DeviceShare
from ._inside import Inside
from ._messages import Answer, Ask, FailureReport, Open
from ._output import Output
from ._seats import Seats
from ._signal import Signal
from ._spin import Spinner
from ._system import known_cores, stay_on

_NO_INFOS: dict[int, bytes] = {}
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
        self._members: Seats | Inside = Seats(self._row, output)
        self._share: DeviceShare | None = None
        self._cores = known_cores()
        self._core: int | None = None
        self._anywhere = True
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
                del self._members, self._share  # a device's memory is counted; give it back
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
            if board.anywhere != self._anywhere:
                self._settle_down()
            row.answer(self._round, bool(failures), now() - start)
            self._done.send()

    def _wait(self) -> None:
        """Wait for the next round, for a moment awake: falling asleep can cost more than it."""
        row = self._row
        if not self._spinner.wait(lambda: row.asked != self._round):
            while row.asked == self._round:  # wake-ups of rounds that came in time are still there
                self._go.wait()
            self._spinner.woke()
        self._round = row.asked

    def _handle(self, message: Any) -> Answer:
        if isinstance(message, Open):
            return self._open(message)
        assert isinstance(message, Ask)
        results, failures = self._members.ask(message.what, message.argument)
        return Answer(results=results, failures=tuple(failures))

    def _open(self, message: Open) -> Answer:
        torch.set_num_threads(message.threads)
        self._core = message.core
        self._settle_down()
        interface = unpack(message.interface)
        layout = Layout(scopes=message.scopes, guarded=message.debug)
        done = self._map(message.ticket)
        if self._share is None:
            arrays = self._block.arrays(interface, layout)
        else:
            arrays = Arrays(Arena(self._share.memory), interface, layout)
        kind = Seats if message.inside is None else Inside
        self._members = kind(self._row, self._output)
        failures = self._members.open(message, interface, arrays)
        notes = self._members.notes
        return Answer(results={}, failures=tuple(failures), done=done, notes=notes)

    def _settle_down(self) -> None:
        """Stay on the core that was chosen, or on any, as the trainer says."""
        self._anywhere = self._block.board.anywhere
        core = None if self._anywhere else self._core
        stay_on(self._cores if core is None else [core])

    def _map(self, ticket: bytes | None) -> bytes | None:
        """Map the memory of a device; return the handle of this worker's event there."""
        if ticket is None:
            return None
        self._share = DeviceShare(unpack_small(ticket))
        return self._share.handle()

    def _step(self, command: int, flags: int, timestep: int, timesteps: int) -> list[FailureReport]:
        infos = self._receive_infos() if flags & Flag.INFOS else _NO_INFOS
        return self._members.step(command, flags, timestep, timesteps, infos)

    def _receive_infos(self) -> dict[int, bytes]:
        """Take packed infos, if any of the members here reads them."""
        if not self._members.uses_infos:
            return _NO_INFOS
        packed: dict[int, bytes] = self._channel.receive()[0]
        return packed


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
