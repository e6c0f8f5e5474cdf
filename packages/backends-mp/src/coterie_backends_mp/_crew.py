"""The worker processes of one trainer: started, woken up, waited for, watched and ended."""

from __future__ import annotations

import contextlib
import os
import select
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import evolve

from coterie import Interface, Member
from coterie.transport import pack_small

from ._arrays import Arena, Arrays, Layout
from ._block import Block, arrays_size, block_size, make_block
from ._board import Command, board_size
from ._cfg import ParallelTrainerCfg
from ._channel import Channel
from ._device import DeviceMemory
from ._handover import slots
from ._launcher import ServerLost
from ._messages import Exited, Open
from ._neighbours import Neighbours
from ._process import Process
from ._signal import Signal
from ._spin import Spinner
from ._system import kill_group
from ._warm import give_back, lease

_STACK_SECONDS = 2.0  # within which the server must have written a worker's stack
_KILL_SECONDS = 10.0  # within which the kernel must have ended a killed process


class Crew:
    """Worker processes, the server that starts them, and the block that they share.

    Args:
        groups: The members of each process.
        interface: Spaces and number of instances of the environment.
        cfg: Time limits.
        fork: Whether workers are forked from the server.
        preload: Modules that the server imports first.
        guarded: Whether there are guards behind what each member exchanges.
        shared: Whether the members of a process share one slot.

    Raises:
        SharedMemoryError: There is not enough memory for the block.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[Member]],
        interface: Interface,
        cfg: ParallelTrainerCfg,
        fork: bool,
        preload: Sequence[str],
        guarded: bool = False,
        shared: bool = False,
    ) -> None:
        self.groups, self.interface, self.guarded = groups, interface, guarded
        self.processes: dict[int, Process] = {}
        self._cfg = cfg
        self._patience = min(cfg.start_timeout, cfg.phase_timeout, cfg.slow_warning)
        self._owner = os.getpid()
        layout = Layout(scopes=slots(groups, shared), guarded=guarded)
        on_device = interface.device.type == "cuda"
        size = board_size(len(groups)) if on_device else block_size(interface, layout, len(groups))
        self._fd = make_block(size)
        self._block: Block | None = Block(self._fd, len(groups))
        self.device: DeviceMemory | None = None
        if on_device:
            self.device = DeviceMemory(arrays_size(interface, layout), interface.device)
            self.arrays = Arrays(Arena(self.device.memory), interface, layout)
        else:
            self.arrays = self._block.arrays(interface, layout)
        self.board = self._block.board
        self._done = Signal.create()
        self._spinner = Spinner()
        self._neighbours: Neighbours | None = None
        self._launcher, self._modules = lease(fork), preload
        self._poll = select.poll()
        self._poll.register(self._done.fd, select.POLLIN)
        self._poll.register(self._launcher.fileno(), select.POLLIN)

    def start(self) -> None:
        """Start the processes that are not running.

        Raises:
            ServerLost: That did not work.
        """
        missing = [n for n in range(len(self.groups)) if n not in self.processes]
        if missing and not self.processes:
            self._launcher.wait_ready(self._cfg.start_timeout)
            self._launcher.preload(self._modules)
        for number in missing:
            self._start(number)

    def fits(self, groups: Sequence[Sequence[Member]], interface: Interface, guarded: bool) -> bool:
        """Whether this crew is the one for these members and this environment."""
        return (
            interface == self.interface
            and guarded == self.guarded
            and [list(group) for group in groups] == [list(group) for group in self.groups]
        )

    def how_the_server_ended(self) -> str:
        """Say what happened to the server, for messages."""
        return self._launcher.how_it_ended()

    def send(self, messages: Mapping[int, object]) -> None:
        """Send a message to some processes, by their number, and wake them up to read it."""
        turn = self.board.command(Command.MESSAGE, 0, 0, 0)
        for number, message in messages.items():
            self.post(number, message)
            self.processes[number].wake(turn)

    def with_tickets(self, messages: Mapping[int, Open]) -> dict[int, Open]:
        """Add to messages what workers need that have not mapped the device's memory yet."""
        if self.device is None:
            return dict(messages)
        new = {n: m for n, m in messages.items() if not self.processes[n].has_ticket}
        for number in new:
            self.processes[number].has_ticket = True
        ticket = self.device.ticket
        return {
            number: evolve(message, ticket=pack_small(ticket())) if number in new else message
            for number, message in messages.items()
        }

    def choose_places(self, messages: Mapping[int, Open]) -> None:
        """Let workers stay on the cores that messages name, while nobody else wants these."""
        places = {
            self.processes[number].pid: message.core
            for number, message in messages.items()
            if message.core is not None
        }
        if not places or self._cfg.pin is not None:
            self._neighbours, self.board.anywhere = None, False
        elif self._neighbours is None or self._neighbours.places != places:
            self._neighbours, self.board.anywhere = Neighbours(places), False

    def post(self, number: int, message: object) -> None:
        """Send a message to a process that will be woken up for it later."""
        with contextlib.suppress(OSError):  # it died; whoever waits for it learns that
            self.processes[number].channel.send(message)

    def wake(self, numbers: Iterable[int], command: int, flags: int, at: tuple[int, int]) -> None:
        """Tell processes what to do next.

        Args:
            numbers: Which.
            command: What to do.
            flags: What they must know about it.
            at: Timestep, and where the count of timesteps ends.
        """
        if self.device is not None:
            self.device.mark_written()
        turn = self.board.command(command, flags, *at)
        woken = [self.processes[number] for number in numbers]
        for process in woken:
            process.ask(turn)  # who is awake begins now, even if who is woken first takes our core
        for process in woken:
            process.go.send()

    def wait(self, numbers: Iterable[int], opening: bool = False) -> list[int]:
        """Wait until processes have answered the current round, or ended.

        Args:
            numbers: Which.
            opening: Whether they first have to get ready, for which they have a time of its own.

        Returns:
            Those that did neither in time.
        """
        if self._launcher.news:
            self._note_exits()
        waiting = [self.processes[number] for number in numbers]
        began = time.monotonic()
        if self._neighbours is not None:
            self.board.anywhere = not self._neighbours.look(began)
        if self._all_answer(waiting):
            return []
        try:
            return self._wait_long(waiting, began, opening)
        finally:
            self._spinner.woke()

    def _wait_long(self, waiting: Sequence[Process], began: float, opening: bool) -> list[int]:
        """Wait for processes that were asked something at ``began``; return those that are late.

        Each has its own time, which starts again when it has got ready.
        """
        cfg, late = self._cfg, []
        booting = {process.number: opening or process.booting for process in waiting}
        since = dict.fromkeys(booting, began)
        warn_at = began + cfg.slow_warning
        while True:
            waiting = [p for p in waiting if p.exited is None and not p.answered]
            now = time.monotonic()
            rest = [cfg.phase_timeout]  # a limit may change before anyone wakes us
            for process in waiting:
                number = process.number
                if process.booting != booting[number]:
                    booting[number], since[number] = process.booting, now
                rest.append(since[number] + self.time_limit(number) - now)
                if rest[-1] <= 0:
                    late.append(number)
            waiting = [process for process in waiting if process.number not in late]
            if not waiting:
                return late
            if now >= warn_at:
                warn_at = now + cfg.slow_warning
                _warn_slow(waiting[0], now - began)
            self._look(min(*(left for left in rest if left > 0), warn_at - now))

    def stack(self, number: int) -> str:
        """Find out where a process hangs; empty if it does not tell."""
        return self._launcher.stack(number, _STACK_SECONDS)

    def kill(self, numbers: Iterable[int]) -> None:
        """Kill processes with all that they started, and wait until they are gone."""
        doomed = [self.processes[number] for number in numbers]
        for process in doomed:
            if process.exited is None:
                self._launcher.kill(process.number)
        self._note_exits()
        deadline = time.monotonic() + _KILL_SECONDS
        while any(p.exited is None for p in doomed) and time.monotonic() < deadline:
            self._look(deadline - time.monotonic())

    def bury(self) -> None:
        """Give back what belonged to processes that ended; :meth:`start` starts them anew."""
        self._note_exits()
        for number, process in list(self.processes.items()):
            if process.exited is not None:
                self.processes.pop(number).close()

    def close(self, deadline: float) -> None:
        """End all processes and give everything back. Calling it again does nothing.

        Args:
            deadline: Seconds that processes have to end by themselves.
        """
        if self._block is None:
            return
        if self._owner == os.getpid():
            try:
                self._stop(deadline)
            finally:
                give_back(self._launcher, all(p.exited for p in self.processes.values()))
                for process in self.processes.values():
                    if process.exited is None:
                        kill_group(process.pid)
        for process in self.processes.values():
            process.close()
        self.processes.clear()
        self._done.close()
        self.board.release()
        self._block = None
        self.device = None
        del self.arrays
        os.close(self._fd)

    def _start(self, number: int) -> None:
        assert self._block is not None
        ours, theirs = Channel.pair()
        go = Signal.create()
        row = self.board.row(number)
        row.clear()
        fds = [theirs.fileno(), self._fd, *go.fds, *self._done.fds]
        try:
            seconds = self._cfg.start_timeout
            pid = self._launcher.start(number, len(self.groups), fds, seconds)
        except ServerLost:
            ours.close()
            go.close()
            raise
        finally:
            theirs.close()
        self.processes[number] = Process(
            number=number, pid=pid, members=self.groups[number], channel=ours, go=go, row=row
        )

    def time_limit(self, number: int) -> float:
        """Seconds that a process may take for what it is doing."""
        booting = self.processes[number].booting
        return self._cfg.start_timeout if booting else self._cfg.phase_timeout

    def _all_answer(self, waiting: Sequence[Process]) -> bool:
        """Wait in the way that is right for nearly every step, and quick.

        Returns:
            Whether all have answered; else somebody ended, or is slow.
        """
        if self._spinner.wait(_have_answered(waiting)):
            return True
        for _ in range(len(waiting) + 1):  # one for wake-ups of rounds that were answered in time
            if any(process.exited is not None for process in waiting):
                return False
            if not self._look(self._patience):
                return False
            if all(process.answered for process in waiting):
                self._spinner.woke()
                return True
        return False

    def _look(self, seconds: float) -> bool:
        """Sleep until something happens: an answer, the end of a process, or the time limit.

        Returns:
            Whether something happened.
        """
        events = self._poll.poll(max(1.0, seconds * 1000))
        for fd, _ in events:
            if fd == self._done.fd:
                self._done.wait()
            else:
                self._note_exits()
        return bool(events)

    def _note_exits(self) -> None:
        try:
            exits = self._launcher.exits()
        except ServerLost:
            self._poll.unregister(self._launcher.fileno())
            exits = self._launcher.exits()
        for exited in exits:
            process = self.processes.get(exited.worker)
            if process is not None and process.pid == exited.pid:
                process.exited = exited
        if self._launcher.lost:
            for process in self.processes.values():
                if process.exited is None:
                    kill_group(process.pid)
                    process.exited = Exited(
                        worker=process.number, pid=process.pid, status=-9, text=_SERVER_GONE
                    )

    def _stop(self, deadline: float) -> None:
        self._note_exits()
        alive = [p for p in self.processes.values() if p.exited is None]
        turn = self.board.command(Command.STOP, 0, 0, 0)
        for process in alive:
            process.wake(turn)
        end = time.monotonic() + min(deadline, self._cfg.stop_grace)
        while any(p.exited is None for p in alive) and time.monotonic() < end:
            self._look(end - time.monotonic())
        self.kill(process.number for process in alive)


def _have_answered(processes: Sequence[Process]) -> Callable[[], bool]:
    """Make a function that looks whether all have answered, at none of them twice in vain."""
    rest = [(process.row, process.asked) for process in processes]

    def look() -> bool:
        while rest:
            row, asked = rest[-1]
            if row.answered != asked:
                return False
            rest.pop()
        return True

    return look


_SERVER_GONE = "the process that starts and watches the workers ended; they ended with it"


def _warn_slow(process: Process, seconds: float) -> None:
    phase, timestep, culprit = process.place
    culprit = culprit or process.members[0]
    at = "" if timestep is None else f" at step {timestep}"
    warnings.warn(
        f"agent {culprit.index} ({culprit.name!r}) has been in {phase}{at} for "
        f"{seconds:.0f} s, the others wait",
        RuntimeWarning,
        stacklevel=2,
    )
