"""The executor whose members live in worker processes."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve

from coterie import (
    Executor,
    Interface,
    Member,
    Mode,
    RandomActor,
    SharedMemoryError,
    State,
    TrainerCfg,
    TrainerStateError,
    Transition,
    Tree,
    WorkerError,
)
from coterie.transport import pack, unpack

from ._autopsy import find_failures, read_answer
from ._board import Command, Flag
from ._cfg import ParallelTrainerCfg
from ._crew import Crew
from ._exchange import Exchange, pack_infos
from ._failures import not_started
from ._handover import Inside, check_descriptors, modules_to_preload, open_messages, uses_cuda
from ._launcher import ServerLost
from ._messages import Ask
from ._placement import count_processes, place
from ._refusals import raise_refusals
from ._saved import streams_of
from ._system import usable_cores

_log = logging.getLogger("coterie")


class ProcessExecutor(Executor):
    """Members in worker processes, several or one in each; one round trip per timestep.

    Args:
        cfg: Number of processes, start method, time limits.
        inside: Class and configuration of the trainer whose executor runs the members of each
            process; ``None``: they work in turn.
    """

    def __init__(self, cfg: ParallelTrainerCfg | None = None, inside: Inside | None = None) -> None:
        self._settings = ParallelTrainerCfg() if cfg is None else cfg
        self._inside = inside
        self._notes: dict[int, str] = {}
        self._crew: Crew | None = None
        self._exchange: Exchange | None = None
        self._members: tuple[Member, ...] = ()
        self._random: dict[int, RandomActor] = {}
        self._mode: Mode = "train"
        self._busy = False
        self._spare_core = False
        self._raises = True
        self._timesteps = 0
        self._timestep = 0
        self._seconds: dict[str, float] = {}

    def open(
        self, members: Sequence[Member], interface: Interface, mode: Mode, cfg: TrainerCfg
    ) -> None:
        """Start the processes that are missing, and send every member to its own.

        Raises:
            WorkerStartError: A member can't be sent, or processes can't be started.
            SharedMemoryError: There is not enough memory for what is exchanged.
            WorkerError: A member failed to get ready.
        """
        settings = cfg if isinstance(cfg, ParallelTrainerCfg) else self._settings
        self._members, self._mode = tuple(members), mode
        self._raises = cfg.on_member_failure != "continue"
        self._random = {m.index: RandomActor(m, interface) for m in members if not m.active}
        self._seconds = dict.fromkeys(("write", "slowest member", "wake-up", "read"), 0.0)
        cores = usable_cores()
        groups = place(members, count_processes(settings.processes, len(members), cores))
        self._spare_core = len(groups) < cores
        messages = open_messages(groups, interface, mode, settings, self._inside)
        crew = self._ready_crew(groups, interface, settings)
        self._exchange = Exchange(crew.arrays, interface, cfg.debug)
        self._busy = True
        crew.choose_places(messages)
        crew.send(crew.with_tickets(messages))
        told = self.describe()
        self._collect(messages, opening=True)
        if self.describe() != told:
            _log.info("%s", self.describe())

    def begin(
        self, observations: Tree, states: Tree | None, *, timestep: int, timesteps: int, cut: bool
    ) -> Any:
        """Let every member answer the first observations."""
        assert self._exchange is not None
        self._timestep, self._timesteps = timestep, timesteps
        flags = self._exchange.put_observations(observations, states)
        self._round(Command.BEGIN, flags | (Flag.CUT if cut else 0))
        return self._exchange.take_actions(self._members, self._random, self._timestep)

    def advance(self, transition: Transition, observations: Tree, states: Tree | None) -> Any:
        """Let every member record, learn and act."""
        return self._begin_advance(transition, observations, states)()

    def begin_advance(
        self, transition: Transition, observations: Tree, states: Tree | None
    ) -> Callable[[], Any]:
        """Do as :meth:`advance` does; members begin at once where there is a core to spare.

        Where there is none, what the caller does meanwhile would only stand in their way.
        """
        begin = self._begin_advance if self._spare_core else super().begin_advance
        return begin(transition, observations, states)

    def _begin_advance(
        self, transition: Transition, observations: Tree, states: Tree | None
    ) -> Callable[[], Any]:
        """Wake the members to record, learn and act; return what waits for their actions."""
        now = time.perf_counter
        start = now()
        flags = self._put(transition, observations, states)
        written = now()
        numbers = self._begin_round(Command.ADVANCE, flags)

        def wait() -> Any:
            assert self._exchange is not None
            slowest = self._end_round(numbers)
            answered = now()
            self._timestep += 1
            actions = self._exchange.take_actions(self._members, self._random, self._timestep)
            self._count(written - start, slowest, answered - written - slowest, now() - answered)
            return actions

        return wait

    def finish(self, transition: Transition) -> None:
        """Let every member record the last step and learn."""
        assert self._exchange is not None
        flags = self._put(transition, transition.next_observations, transition.next_states)
        self._round(Command.FINISH, flags)

    def metrics(self) -> list[Mapping[str, float]]:
        """Hand over each member's scalars."""
        found = self._ask("metrics", self._active())
        return [found.get(member.index, {}) for member in self._members]

    def snapshot(
        self, members: Sequence[Member] | None = None, *, learned: bool = False
    ) -> dict[int, State]:
        """Return the state of members, in the main memory."""
        chosen = self._active() if members is None else members
        packed = self._ask("snapshot", [m for m in chosen if m.active], learned or None)
        return {index: unpack(state) for index, state in packed.items()}

    def handover(self, members: Sequence[Member]) -> dict[int, State]:
        """Return what members go on from elsewhere, in the main memory."""
        packed = self._ask("handover", [m for m in members if m.active])
        return {index: unpack(state) for index, state in packed.items()}

    def save(self, members: Sequence[Member], folder: Path) -> dict[int, State | None]:
        """Let the processes write their members' files, all at the same time."""
        packed = self._ask("save", [m for m in members if m.active], str(folder))
        return {index: streams_of(found) for index, found in packed.items()}

    def restore(self, member: Member, state: State) -> None:
        """Give a member a state; the settings in it come home with :meth:`settle`.

        Raises:
            CheckpointMismatch: It does not fit; the member is as it was.
        """
        raise_refusals(self._ask("restore", [self._running(member)], state))

    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> None:
        """Change settings of a member's agent, in its process and here.

        Raises:
            ConfigError: The agent refuses the settings; nothing was changed.
        """
        raise_refusals(self._ask("reconfigure", [self._running(member)], dict(settings)))
        if member.active:
            member.agent.reconfigure(settings)

    def settle(self, members: Sequence[Member]) -> None:
        """Bring what a training run changed home, into the members' own agents.

        Raises:
            TrainerStateError: A step was broken off in the middle.
        """
        if self._crew is not None and self._mode == "train":
            super().settle(members)

    def timings(self) -> Mapping[str, float]:
        """Seconds since the start of the run.

        Returns:
            ``"write"`` and ``"read"``: copying into and out of the shared block;
            ``"slowest member"``: the slowest process of each step at work; ``"wake-up"``: the
            rest of the time that the others were waited for.
        """
        return dict(self._seconds)

    def close(self, deadline: float = 5.0) -> None:
        """End the processes and give everything back."""
        crew, self._crew, self._exchange = self._crew, None, None
        if crew is not None:
            crew.close(deadline)

    def _active(self) -> list[Member]:
        return [member for member in self._members if member.active]

    def _running(self, member: Member) -> Member:
        if self._crew is None or member not in self._active():
            raise TrainerStateError(f"member {member.name!r} is not running")
        return member

    def _ready_crew(
        self, groups: Sequence[Sequence[Member]], interface: Interface, cfg: ParallelTrainerCfg
    ) -> Crew:
        """Make the crew, or bring the one that there is to full strength."""
        members = self._members
        if self._crew is not None and not self._crew.fits(groups, interface, cfg.debug):
            self.close()
        try:
            if self._crew is None:
                check_descriptors(members, len(groups))
                fork = cfg.forks(uses_cuda(members, interface))
                preload = modules_to_preload(cfg, members, self._inside)
                shared = self._inside is not None
                self._crew = Crew(groups, interface, cfg, fork, preload, cfg.debug, shared)
                weakref.finalize(self, self._crew.close, 0.0)
            self._crew.bury()
            self._crew.start()
        except ServerLost:
            raise self._not_started(members[0]) from None
        except BaseException:
            self.close()
            raise
        return self._crew

    def _not_started(self, member: Member) -> WorkerError:
        assert self._crew is not None
        how = self._crew.how_the_server_ended()
        self.close(0.0)
        return not_started(
            member, f"and the others could not be started by their server process: {how}"
        )

    def _put(self, transition: Transition, observations: Tree, states: Tree | None) -> int:
        """Write what the members must know of a step; return what workers must know about it."""
        assert self._exchange is not None
        flags = self._exchange.put_step(transition, observations, states)
        told = transition.infos and self._mode == "train"
        return flags | self._put_infos(transition) if told else flags

    def _put_infos(self, transition: Transition) -> int:
        """Send infos to the workers whose members read them."""
        assert self._crew is not None
        rows = self._crew.interface.num_envs
        for number, process in self._crew.processes.items():
            readers = process.living if self._inside is None else [_together(process.members)]
            packed = pack_infos(transition.infos, readers, rows)
            if packed:
                self._crew.post(number, packed)
        return Flag.INFOS

    def _round(self, command: int, flags: int) -> None:
        """Let all members do one thing."""
        self._end_round(self._begin_round(command, flags))

    def _begin_round(self, command: int, flags: int) -> list[int]:
        """Let all members begin to do one thing; return the numbers of their processes."""
        assert self._crew is not None
        crew = self._crew
        numbers = [n for n, process in crew.processes.items() if process.living]
        self._busy = True
        crew.wake(numbers, command, flags, (self._timestep, self._timesteps))
        return numbers

    def _end_round(self, numbers: Sequence[int]) -> float:
        """Wait until all members have done it; return the seconds of the slowest process."""
        assert self._crew is not None
        crew = self._crew
        late = crew.wait(numbers)
        self._busy = False
        if crew.device is not None:
            crew.device.follow(numbers)
        processes = [crew.processes[number] for number in numbers]
        if late or any(not p.answered or p.row.failed for p in processes):
            self._fail(find_failures(crew, numbers, late))
        if crew.guarded:
            self._check_guards()
        return max((p.row.busy for p in processes), default=0) * 1e-9

    def _check_guards(self) -> None:
        assert self._exchange is not None
        found = self._exchange.overstepped()
        if found is not None:
            index, name = found
            raise SharedMemoryError(
                f"at step {self._timestep} something was written behind the part of {name} that "
                f"belongs to {self._owner(index)}; what other agents saw "
                "may be wrong. An agent may write to memory that it made itself only"
            )

    def _owner(self, slot: int) -> str:
        assert self._crew is not None
        if self._inside is not None:
            return f"process {slot}"
        return f"agent {slot} ({self._members[slot].name!r})"

    def describe(self) -> str:
        """Say what each process tells of how it placed its members."""
        return "\n".join(
            f"process {number}: {line}"
            for number, notes in sorted(self._notes.items())
            for line in notes.splitlines()
        )

    def _collect(self, numbers: Collection[int], opening: bool = False) -> dict[int, Any]:
        """Wait for the answers to messages; return the results by index of the member."""
        assert self._crew is not None
        crew = self._crew
        late = crew.wait(numbers, opening)
        self._busy = False
        results: dict[int, Any] = {}
        failures: dict[int, WorkerError] = {}
        for number in numbers:
            process = crew.processes[number]
            if process.answered:
                answer = read_answer(process, failures)
                results |= answer.results
                if opening:
                    self._notes[number] = answer.notes
                if answer.done is not None and crew.device is not None:
                    crew.device.admit(number, answer.done)
        self._fail(failures | find_failures(crew, numbers, late))
        return results

    def _ask(self, what: str, members: Sequence[Member], argument: Any = None) -> dict[int, Any]:
        """Ask members for something, between two steps."""
        if not members:
            return {}
        if self._crew is None or self._busy:
            state = "a step was broken off" if self._busy else "it is not open"
            raise TrainerStateError(f"the workers can't be asked for {what}: {state}")
        packed = None if argument is None else pack(argument)
        wanted = {member.index for member in members}
        messages = {}
        for number, process in self._crew.processes.items():
            own = {m.index: packed for m in process.living if m.index in wanted}
            if own:
                messages[number] = Ask(what=what, argument=own)
        self._busy = True
        self._crew.send(messages)
        return self._collect(messages)

    def _fail(self, failures: Mapping[int, WorkerError]) -> None:
        """Freeze members that failed; raise the first failure unless training shall go on."""
        assert self._crew is not None
        for index, error in failures.items():
            member = self._members[index]
            member.status, member.failure = "failed", error
            self._random[index] = RandomActor(member, self._crew.interface)
        if failures and self._raises:
            raise failures[min(failures)]

    def _count(self, write: float, slowest: float, wake_up: float, read: float) -> None:
        seconds = self._seconds
        seconds["write"] += write
        seconds["slowest member"] += slowest
        seconds["wake-up"] += wake_up
        seconds["read"] += read


def _together(members: Sequence[Member]) -> Member:
    """Describe the instances of neighbours as those of one member, which reads what any does."""
    first = members[0]
    reader = next((member for member in members if member.agent.uses_infos), first)
    scope = slice(first.scope.start, members[-1].scope.stop)
    return evolve(reader, index=first.index, scope=scope)
