"""The islands as the trainer sees them: calls, answers, and what to do when one is lost."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field

from .._errors import WorkerDied
from .._trainers.members import Member
from .._transport.packing import pack
from .cfg import IslandTrainerCfg
from .errors import IslandLost, unpack_error
from .host import IslandHost
from .records import Answer, Blueprint

_log = logging.getLogger("coterie")
_TICK = 0.25
_PAUSE = 0.25
_LONGEST_PAUSE = 10.0


@define(eq=False)
class Call:
    """A call to an island.

    Attributes:
        name: Its name.
        argument: Its argument.
        changes: Whether it changes the island: it is repeated when that is started anew.
        repeats: Whether it is such a repetition, whose answer nobody waits for.
        ticket: What the host knows it by.
        answer: The answer; ``None``: it is not there yet.
        lost: Why it will never come; ``None``: it may.
    """

    name: str
    argument: Any
    changes: bool
    repeats: bool = False
    ticket: Any = None
    answer: Answer | None = None
    lost: str | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self.answer is not None or self.lost is not None

    def value(self) -> Any:
        """Return what the island answered.

        Raises:
            IslandLost: The island is lost for good.
            BaseException: What was raised there.
        """
        if self.answer is None:
            raise IslandLost(self.lost or "it did not answer")
        if self.answer.error is not None:
            raise unpack_error(self.answer.error)
        return self.answer.value


@define(eq=False)
class Lane:
    """One island.

    Attributes:
        number: Its number.
        members: Its members, in order of scope.
        base: The calls that bring a new island to a state that is kept here.
        journal: The calls since then that changed the island.
        waiting: The calls that were not answered yet.
        restarts: How often it was started anew in this run after it had answered.
        vain: How often it was started since then without an answer.
        gone: When it was lost that way first; ``None``: it was not.
        due: When it is to be started anew; ``None``: it is running.
        heard: When it was heard of last, or called after it had nothing to do.
        answered: Whether it has answered since it was started.
        lost: Why it is lost for good; ``None``: it is not.
    """

    number: int
    members: list[Member]
    base: list[Call] = field(factory=list)
    journal: list[Call] = field(factory=list)
    waiting: deque[Call] = field(factory=deque)
    restarts: int = 0
    vain: int = 0
    gone: float | None = None
    due: float | None = None
    heard: float = 0.0
    answered: bool = False
    lost: str | None = None

    @property
    def scope(self) -> slice:
        """Its instances."""
        return slice(self.members[0].scope.start, self.members[-1].scope.stop)

    @property
    def about(self) -> str:
        """What to call it in messages."""
        names = [member.name for member in self.members]
        told = names if len(names) < 5 else [*names[:3], "…", names[-1]]
        return f"island {self.number} ({', '.join(told)})"


class Fleet:
    """Starts islands, carries calls to them, and starts those anew that are lost.

    Args:
        host: Where islands run.
        cfg: Time limits, and how often an island is started anew.
        lanes: The islands.
        blueprint: Makes what an island is built from.
    """

    def __init__(
        self,
        host: IslandHost,
        cfg: IslandTrainerCfg,
        lanes: Sequence[Lane],
        blueprint: Callable[[Lane], Blueprint],
    ) -> None:
        self.lanes = list(lanes)
        self._host, self._cfg, self._blueprint = host, cfg, blueprint
        self._warned: dict[int, float] = {}
        host.prepare(len(self.lanes))
        for lane in self.lanes:
            self._start(lane, again=False)

    @property
    def alive(self) -> list[Lane]:
        """The islands that are not lost for good."""
        return [lane for lane in self.lanes if lane.lost is None]

    def send(self, lane: Lane, name: str, argument: Any, *, changes: bool = False) -> Call:
        """Make a call, without waiting for its answer.

        Args:
            lane: Which island.
            name: Name of the call.
            argument: Its argument.
            changes: Whether it changes the island.
        """
        call = Call(name, argument, changes)
        if lane.lost is not None:
            call.lost = lane.lost
            return call
        if changes:
            lane.journal.append(call)
        if lane.due is not None:
            lane.waiting.append(call)
            return call
        if not lane.waiting:
            lane.heard = time.monotonic()
        self._submit(lane, call)
        return call

    def ask(self, calls: Sequence[Call]) -> None:
        """Wait until calls are over."""
        while not all(call.over for call in calls):
            self.collect()

    def collect(self, seconds: float = _TICK) -> None:
        """Wait for answers for a while, and deal with islands that are lost or silent."""
        for lane in self.alive:
            if lane.due is not None and time.monotonic() >= lane.due:
                self._start_again(lane)
        running = [lane for lane in self.alive if lane.due is None and lane.waiting]
        fronts = {lane.waiting[0].ticket: lane for lane in running}
        if fronts:
            for ticket in self._host.wait(list(fronts), seconds):
                self._take(fronts[ticket])
        elif any(lane.due is not None for lane in self.alive):
            time.sleep(seconds / 5)
        for lane in self.alive:
            self._look_after(lane)

    def keep(self, lane: Lane, call: Call, state: bytes, opening: Call) -> None:
        """Remember a state of an island instead of what led to it.

        Args:
            lane: Which island.
            call: The call that the state is the result of.
            state: The state.
            opening: The call that gave the island its members.
        """
        lane.base = [Call("open", opening.argument, True), Call("load", state, True)]
        lane.journal = lane.journal[lane.journal.index(call) + 1 :]

    def revive(self, lane: Lane) -> None:
        """Start an island that was lost for good with nothing, for another run."""
        lane.lost, lane.restarts, lane.vain = None, 0, 0
        lane.gone = lane.due = None
        lane.base, lane.journal = [], []
        self._start(lane, again=True)

    def close(self, deadline: float) -> None:
        """Let the islands that have nothing to do end by themselves, then end them all.

        Args:
            deadline: Seconds that they have.
        """
        idle = [lane for lane in self.alive if not lane.waiting and lane.due is None]
        waiting = [self.send(lane, "close", None).ticket for lane in idle]
        over = time.monotonic() + deadline
        while waiting and (left := over - time.monotonic()) > 0:
            done = self._host.wait(waiting, min(left, _TICK))
            waiting = [ticket for ticket in waiting if ticket not in done]
        self._host.close()

    def _start(self, lane: Lane, *, again: bool) -> None:
        lane.answered, lane.heard = False, time.monotonic()
        self._host.start(lane.number, pack(self._blueprint(lane)), again=again)

    def _submit(self, lane: Lane, call: Call) -> None:
        call.ticket = self._host.call(lane.number, call.name, call.argument)
        lane.waiting.append(call)

    def _take(self, lane: Lane) -> None:
        call = lane.waiting[0]
        try:
            call.answer = self._host.result(call.ticket)
        except IslandLost as error:
            self._recover(lane, str(error))
            return
        lane.waiting.popleft()
        lane.heard, lane.answered, lane.vain, lane.gone = time.monotonic(), True, 0, None

    def _look_after(self, lane: Lane) -> None:
        """Warn of an island that is silent, and end one that is for too long."""
        if not lane.waiting or lane.due is not None:
            return
        cfg, silent = self._cfg, time.monotonic() - lane.heard
        limit = cfg.stretch_timeout if lane.answered else cfg.start_timeout
        if silent > limit:
            what = f"answer {lane.waiting[0].name!r}" if lane.answered else "start"
            self._host.stop(lane.number)
            self._recover(lane, f"it did not {what} within {limit:g} s")
        elif silent > cfg.slow_warning and lane.heard > self._warned.get(lane.number, 0.0):
            self._warned[lane.number] = time.monotonic()
            _log.warning("%s has not answered for %.0f s%s", lane.about, silent, self._at(lane))

    def _recover(self, lane: Lane, reason: str) -> None:
        """Let an island be started anew, or give it up.

        One that has answered counts as started. One that has not may have been sent to a node
        that is gone, which is not known for a while: it is tried again, later each time.
        """
        reason, now, cfg = (
            f"{lane.about}{self._at(lane)} is lost: {reason}",
            time.monotonic(),
            self._cfg,
        )
        lane.waiting = deque(call for call in lane.waiting if not call.repeats)
        if lane.answered:
            over, told = lane.restarts >= cfg.restarts, f"{lane.restarts + 1} of {cfg.restarts}"
            lane.restarts, lane.due = lane.restarts + 1, now
        else:
            lane.gone = now if lane.gone is None else lane.gone
            over = cfg.restarts == 0 or now - lane.gone > cfg.start_timeout
            lane.vain, lane.due = lane.vain + 1, now + min(_PAUSE * 2**lane.vain, _LONGEST_PAUSE)
            told = f"for up to {cfg.start_timeout:g} s"
        if not over:
            _log.warning("%s; it is started anew (%s)", reason, told)
            return
        _log.warning("%s; it is not started again", reason)
        lane.lost, lane.due = reason, None
        for call in lane.waiting:
            call.lost = reason
        lane.waiting.clear()

    def _start_again(self, lane: Lane) -> None:
        """Start an island anew, and let it do again what it had done since its state was kept."""
        lane.due = None
        self._start(lane, again=True)
        waiting = list(lane.waiting)
        lane.waiting.clear()
        done = [call for call in lane.journal if call.over]
        for call in [*lane.base, *done]:
            self._submit(lane, Call(call.name, call.argument, False, repeats=True))
        for call in waiting:
            self._submit(lane, call)

    def _at(self, lane: Lane) -> str:
        where = self._host.where(lane.number)
        return f" on {where}" if where else ""


def died(member: Member, reason: str, timestep: int | None) -> WorkerDied:
    """Compose the error for a member whose island is lost for good.

    Args:
        member: The member.
        reason: What became of the island.
        timestep: Timestep up to which the run had come.
    """
    at = "" if timestep is None else f" at step {timestep}"
    return WorkerDied(
        f"agent {member.index} ({member.name!r}) died{at}: {reason}",
        agent_index=member.index,
        agent_name=member.name,
        phase="stretch",
        timestep=timestep,
    )
