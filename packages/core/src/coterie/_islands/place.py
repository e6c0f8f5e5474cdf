"""The place where members live on islands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .._agents.transition import Transition
from .._envs.boundary import Boundary
from .._envs.interface import Interface
from .._errors import CheckpointWriteError, TrainerStateError
from .._executors.interface import Mode, Place
from .._trainers.cfg import TrainerCfg
from .._trainers.loop import Clock, Cues, Span
from .._trainers.members import Member
from .._transport.packing import pack, unpack
from .._types import State
from .cfg import IslandTrainerCfg
from .cutting import cut_start, join_surroundings
from .far import FarEnv
from .fleet import Call, Fleet, Lane, died
from .records import Failure, Opening
from .seats import pack_seat
from .voyage import Voyage


class Islands(Place):
    """Members on islands, each with an environment of its own.

    Islands go through stretches of timesteps by themselves; what happened there is gone through
    here again, timestep after timestep, by whatever watches a run.

    Args:
        env: What stands for their environment.
        cfg: The trainer's configuration.
        launch: Starts the islands of a population.
    """

    def __init__(
        self,
        env: FarEnv,
        cfg: IslandTrainerCfg,
        launch: Callable[[Sequence[Member]], Fleet],
    ) -> None:
        self._env, self._cfg, self._launch = env, cfg, launch
        self._fleet: Fleet | None = None
        self._members: tuple[Member, ...] = ()
        self._mode: Mode = "train"
        self._openings: dict[int, Call] = {}
        self._broken = False
        self._waited = 0.0
        self._done = 0
        self._rows: Mapping[int, Mapping[str, float]] | None = None
        self._kept: dict[int, dict[int, Any]] = {}
        self._kept_at: dict[int, float] = {}
        self._around: State | None = None

    def open(
        self, members: Sequence[Member], interface: Interface, mode: Mode, cfg: TrainerCfg
    ) -> None:
        """Start the islands, if they are not there yet, and hand their members over."""
        self._members, self._mode = tuple(members), mode
        self._waited, self._broken, self._openings = 0.0, False, {}
        if self._fleet is None:
            self._fleet, self._env.waters = self._launch(members), self
        for lane in self._fleet.lanes:
            if lane.lost is not None and any(member.active for member in lane.members):
                self._fleet.revive(lane)
        openings = {lane.number: self._open(lane) for lane in self._fleet.alive}
        self._openings = openings
        self._fleet.ask(list(openings.values()))
        for lane in self._fleet.alive:
            self._fail(self._openings[lane.number].value())
        for lane in self._fleet.lanes:
            self._fail(self._lost(lane, None))

    def interact(
        self, boundary: Boundary, span: Span, clock: Clock, cues: Cues
    ) -> Iterator[Transition]:
        """Let islands go through stretches, and go through them again here."""
        if span.apart:
            raise TrainerStateError("islands can't be driven timestep by timestep")
        fleet, training = self._running(), self._mode == "train"
        self._begin()
        self._done = span.first
        for lane in fleet.alive:
            lane.restarts = lane.vain = 0
        voyage = Voyage(fleet, span, cues, self._cfg, self._env.interface.actors)
        ending = False
        try:
            while True:
                voyage.dispatch(self._done, self._should_keep)
                fleet.collect()
                self._gather(voyage, clock)
                while (transition := voyage.replay.take()) is not None:
                    self._fail(voyage.replay.failures())
                    if not ending and cues.stop():
                        ending = True
                        voyage.end_soon(self._done + 1, at_once=not training)
                    self._done += 1
                    clock.timestep = self._done - 1
                    self._rows = voyage.replay.metrics()
                    yield transition
                    self._kept.pop(self._done, None)
                    if voyage.over(self._done):
                        return
                if (error := voyage.replay.error()) is not None:
                    raise error
                if training and not ending and cues.stop():
                    ending = True
                    voyage.end_soon(self._done, at_once=False)
                    if voyage.over(self._done):
                        return
        except KeyboardInterrupt:
            self._broken = True
            raise

    def metrics(self) -> list[Mapping[str, float]]:
        """Hand over each member's scalars, and what its environment reports."""
        rows, self._rows = self._rows, None
        if rows is None:
            asked = self._each("metrics")
            rows = {index: row for part in asked.values() for index, row in part.items()}
        return [rows.get(member.index, {}) for member in self._members]

    def snapshot(
        self, members: Sequence[Member] | None = None, *, learned: bool = False
    ) -> dict[int, State]:
        """Return the state of members, in the main memory, as of the timestep done last."""
        chosen = self._members if members is None else members
        wanted = [member for member in chosen if member.active]
        states: dict[int, State] = {}
        if not learned:
            for part in self._kept_now().values():
                states.update(part["members"])
        calls = []
        for lane in self._running().lanes:
            missing = [m.index for m in lane.members if m in wanted and m.index not in states]
            if missing and lane.number in self._openings:
                calls.append((lane, self._send(lane, "snapshot", (missing, learned))))
        for lane, call in calls:
            if (packed := self._value(lane, call)) is not None:
                states.update(unpack(packed))
        return {m.index: states[m.index] for m in wanted if m.index in states}

    def handover(self, members: Sequence[Member]) -> dict[int, State]:
        """Return what members go on from elsewhere, in the main memory.

        Islands are asked only for what was not handed over with their latest stretch.
        """
        states = self.snapshot([member for member in members if member.agent.saves_everything])
        calls = []
        for lane in self._running().lanes:
            missing = [m.index for m in lane.members if m in members and m.index not in states]
            if missing and lane.number in self._openings:
                calls.append((lane, self._send(lane, "handover", missing)))
        for lane, call in calls:
            if (packed := self._value(lane, call)) is not None:
                states.update(unpack(packed))
        return states

    def restore(self, member: Member, state: State) -> None:
        """Give a member a state; the settings in it come home with :meth:`settle`."""
        self._change(member, "restore", pack(state))

    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> None:
        """Change settings of a member's agent, on its island and here."""
        self._change(member, "reconfigure", dict(settings))
        if member.active:
            member.agent.reconfigure(settings)

    def settle(self, members: Sequence[Member]) -> None:
        """Bring what a training run changed home, into the members' own agents.

        Raises:
            TrainerStateError: The run was broken off.
        """
        if self._broken:
            raise TrainerStateError("the run was broken off: islands are at different timesteps")
        if self._fleet is not None and self._mode == "train":
            super().settle(members)

    def timings(self) -> Mapping[str, float]:
        """Seconds that islands had nothing to do between two stretches, on average."""
        return {"exchange": self._waited}

    def describe(self) -> str:
        """Say which members share an island."""
        return "" if self._fleet is None else "; ".join(lane.about for lane in self._fleet.lanes)

    def surroundings(self) -> State:
        """Return ``"environment"`` and ``"boundary"`` as of the timestep that was done last."""
        if self._around is None:
            self._begin()
            lanes = self._running().lanes
            kept = self._kept_now()
            parts = kept if len(kept) == len(lanes) else self._unpacked("surroundings")
            if len(parts) < len(lanes):
                raise CheckpointWriteError("an island was lost while its environment was saved")
            ordered = [parts[lane.number] for lane in lanes]
            self._around = join_surroundings(ordered, self._env.template)
        return self._around

    def close(self, deadline: float = 5.0) -> None:
        """End the islands."""
        fleet, self._fleet, self._env.waters = self._fleet, None, None
        if fleet is not None:
            fleet.close(deadline)

    def _running(self) -> Fleet:
        if self._fleet is None:
            raise TrainerStateError("no island is running")
        return self._fleet

    def _open(self, lane: Lane) -> Call:
        first = lane.scope.start
        seats = tuple(pack_seat(self._members[member.index], first) for member in lane.members)
        opening = pack(Opening(seats=seats, mode=self._mode))
        return self._send(lane, "open", opening, changes=True)

    def _begin(self) -> None:
        """Tell the islands where their environments start, if they do not just go on."""
        edge = self._env.edge
        start = None if edge is None else edge.take_start()
        if start is None:
            return
        self._kept, self._around = {}, None
        lanes = self._running().lanes
        starts = cut_start(start, self._env.template, [lane.scope for lane in lanes])
        for lane, own in zip(lanes, starts, strict=True):
            if lane.lost is None:
                lane.base, lane.journal = [], [self._openings[lane.number]]
                self._send(lane, "begin", pack(own), changes=True)
                self._kept_at[lane.number] = time.monotonic()

    def _kept_now(self) -> dict[int, Any]:
        """Unpack what islands handed over at the timestep done last, by number of the island."""
        kept = self._kept.get(self._done, {})
        for number, part in kept.items():
            kept[number] = unpack(part) if isinstance(part, bytes) else part
        return kept

    def _should_keep(self, lane: Lane) -> bool:
        """Whether it is time to keep the state of an island again."""
        if self._mode == "eval" or not self._env.template.saves_state:
            return False
        late = time.monotonic() - self._kept_at.get(lane.number, 0.0) > 60 * self._cfg.keep_minutes
        if late:
            self._kept_at[lane.number] = time.monotonic()
        return late

    def _gather(self, voyage: Voyage, clock: Clock) -> None:
        """Take in what islands have done."""
        for lane, call in voyage.finished():
            if call.lost is not None:
                continue
            stretch = call.value()
            share = 1 / len(self._running().lanes)
            clock.environment += stretch.environment * share
            clock.members += stretch.members * share
            self._waited += stretch.waited * share
            voyage.replay.add(lane, stretch)
            voyage.plan.measured(stretch.steps, stretch.environment + stretch.members)
            if stretch.kept is not None and voyage.saves(stretch.stop):
                self._kept.setdefault(stretch.stop, {})[lane.number] = stretch.kept
            if stretch.kept is not None and stretch.exact:
                opening = self._openings[lane.number]
                self._running().keep(lane, call, stretch.kept, opening)
        for lane in self._running().lanes:
            if lane.lost is not None and not voyage.replay.misses(lane):
                voyage.replay.lose(lane, self._lost(lane, voyage.replay.reached(lane)))
        self._around = None
        if not self._running().alive and (left := voyage.replay.failures_left()):
            self._fail(left)
            raise left[-1].error

    def _lost(self, lane: Lane, timestep: int | None) -> list[Failure]:
        """Tell of the members of an island that is lost for good."""
        if lane.lost is None:
            return []
        if self._env.edge is not None:
            self._env.edge.incomplete = True
        members = [self._members[member.index] for member in lane.members]
        return [
            Failure(timestep=timestep, error=died(member, lane.lost, timestep))
            for member in members
            if member.active
        ]

    def _fail(self, failures: Sequence[Failure]) -> None:
        """Freeze members that failed.

        Raises:
            WorkerError: One did, and failures end the run.
        """
        new = [f for f in failures if self._members[f.error.agent_index].failure is None]
        for failure in new:
            member = self._members[failure.error.agent_index]
            member.status, member.failure = "failed", failure.error
        if new and self._cfg.on_member_failure != "continue":
            raise new[0].error

    def _send(self, lane: Lane, name: str, argument: Any, *, changes: bool = False) -> Call:
        return self._running().send(lane, name, argument, changes=changes)

    def _value(self, lane: Lane, call: Call) -> Any:
        """Wait for the answer to a call; ``None``: the island is lost, and failures are borne.

        Raises:
            WorkerError: The island is lost for good, or a member failed.
        """
        self._running().ask([call])
        if call.lost is not None:
            self._fail(self._lost(lane, self._done))
            return None
        return call.value()

    def _each(self, name: str) -> dict[int, Any]:
        """Make a call to every island that is there; return the answers by its number."""
        calls = {lane.number: self._send(lane, name, None) for lane in self._running().alive}
        self._running().ask(list(calls.values()))
        return {number: call.value() for number, call in calls.items() if call.lost is None}

    def _unpacked(self, name: str) -> dict[int, Any]:
        return {number: unpack(part) for number, part in self._each(name).items()}

    def _change(self, member: Member, name: str, argument: Any) -> None:
        """Change a member between two timesteps; what was kept is not what is there any more."""
        lanes = self._running().lanes
        lane = next(lane for lane in lanes if member.index in [m.index for m in lane.members])
        self._kept.pop(self._done, None)
        self._value(lane, self._send(lane, name, (member.index, argument), changes=True))
