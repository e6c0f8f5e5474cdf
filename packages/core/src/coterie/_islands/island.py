"""The island itself: an environment, an executor and their members, in whatever process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .._envs.boundary import Boundary
from .._envs.interface import VectorEnv
from .._envs.team_boundary import make_boundary
from .._errors import TrainerStateError, WorkerError
from .._executors.interface import Mode, Place
from .._registry.manager import registry
from .._runs.info_scalars import InfoScalars
from .._trainers.loop import Clock, Cues, Pause, Span
from .._trainers.members import Member
from .._transport.packing import pack, to_cpu, unpack
from .._types import State
from .errors import pack_error
from .log import Log
from .records import Answer, Blueprint, Failure, Opening, Order, Start, Stretch
from .seats import fail, renumbered, unpack_seat


class Island:
    """Some members of a population, with an environment that holds their instances alone.

    Whoever runs it calls :meth:`answer` for each call that the trainer makes, one after the other
    and in their order. It is built with the first, so that what is raised meanwhile is answered.

    Args:
        blueprint: What it is built from, packed with :func:`coterie.transport.pack`.
    """

    _blueprint: Blueprint
    _env: VectorEnv

    def __init__(self, blueprint: bytes) -> None:
        self._packed: bytes | None = blueprint
        self._about = "an island"
        self._members: list[Member] = []
        self._executor: Place | None = None
        self._mode: Mode = "train"
        self._boundary: Boundary | None = None
        self._first = 0
        self._told: set[int] = set()
        self._left_at = time.perf_counter()

    def answer(self, call: str, argument: Any) -> Answer:
        """Do what the trainer asks for; whatever is raised goes into the answer.

        Args:
            call: Name of one of the methods below.
            argument: What it is given.
        """
        try:
            if self._packed is not None:
                self._build(self._packed)
            return Answer(value=getattr(self, f"do_{call}")(argument))
        except WorkerError as error:
            named = renumbered(error, self._first)
            return Answer(error=pack_error(named, self._about))
        except BaseException as error:
            return Answer(error=pack_error(error, self._about))
        finally:
            self._left_at = time.perf_counter()

    def _build(self, packed: bytes) -> None:
        blueprint: Blueprint = unpack(packed)
        self._blueprint, self._about = blueprint, blueprint.about
        if blueprint.threads is not None:
            torch.set_num_threads(blueprint.threads)
        self._env = blueprint.make(blueprint.num_envs)
        self._packed = None

    def do_open(self, packed: bytes) -> list[Failure]:
        """Take members over for a run; return those that failed at it."""
        opening: Opening = unpack(packed)
        found: list[Failure] = []
        self._first = opening.seats[0].index
        seats = enumerate(opening.seats)
        self._members = [unpack_seat(seat, place, found) for place, seat in seats]
        self._told = {member.index for member in self._members if member.failure is not None}
        self._mode = opening.mode
        self._open()
        return [*found, *self._failures(None)]

    def do_begin(self, packed: bytes) -> None:
        """Reset the environment, or go where another was left."""
        self._go_to(unpack(packed))

    def _go_to(self, start: Start) -> None:
        cfg = self._blueprint.cfg
        self._boundary = make_boundary(self._env, cfg.non_finite, cfg.debug)
        if start.resets:
            self._boundary.reset(start.seed)
            return
        assert start.environment is not None
        assert start.boundary is not None
        self._env.load_state_dict(start.environment)
        self._boundary.load_state_dict(start.boundary)

    def do_travel(self, order: Order) -> Stretch:
        """Go through a stretch of timesteps."""
        assert self._boundary is not None
        executor = self._place
        waited = time.perf_counter() - self._left_at
        log, clock = Log(), Clock()
        cues = Cues(
            stop=lambda: clock.timestep + 1 >= order.stop,
            pause=lambda timestep: Pause(0),
            metrics=order.metrics.__contains__,
        )
        span = Span(first=order.first, stop=order.timesteps, cut=order.cut)
        error: BaseException | None = None
        try:
            for transition in executor.interact(self._boundary, span, clock, cues):
                log.add(transition)
                self._infos.update(transition.infos)
                done = order.first + log.steps
                log.failures += self._failures(done - 1)
                if done in order.metrics:
                    log.metrics[done] = self.do_metrics(None)
        except Exception as caught:
            error = caught
        kept = order.keep and error is None
        return Stretch(
            first=order.first,
            steps=log.steps,
            outcome=log.outcome(),
            metrics=log.metrics,
            failures=tuple(log.failures),
            error=None if error is None else pack_error(error, self._about),
            kept=self.do_keep(None) if kept else None,
            exact=self._env.saves_state,
            environment=clock.environment,
            members=clock.members,
            waited=waited,
        )

    def do_metrics(self, _: None) -> dict[int, dict[str, float]]:
        """Hand over the scalars of members and environment since the last call, by index."""
        rows = zip(self._members, self._place.metrics(), self._infos.take(), strict=True)
        return {self._index(member): {**scalars, **infos} for member, scalars, infos in rows}

    def do_snapshot(self, wanted: tuple[Sequence[int], bool]) -> bytes:
        """Return states of members by index, packed."""
        indices, learned = wanted
        members = [self._member(index) for index in indices]
        return pack(self._states(members, learned=learned))

    def do_handover(self, indices: Sequence[int]) -> bytes:
        """Return what members go on from elsewhere by index, packed."""
        found = self._place.handover([self._member(index) for index in indices])
        return pack({index + self._first: to_cpu(state) for index, state in found.items()})

    def do_restore(self, given: tuple[int, bytes]) -> None:
        """Give a member a state."""
        index, state = given
        self._place.restore(self._member(index), unpack(state))

    def do_reconfigure(self, given: tuple[int, Mapping[str, Any]]) -> None:
        """Change settings of a member."""
        index, settings = given
        self._place.reconfigure(self._member(index), settings)

    def do_surroundings(self, _: None) -> bytes:
        """Return the state of the environment and what the next actions answer, packed."""
        return pack(to_cpu(self._surroundings()))

    def do_keep(self, _: None) -> bytes:
        """Return everything that the island goes on from, packed."""
        active = [member for member in self._members if member.active]
        found = self._surroundings() if self._env.saves_state else {}
        failed = {m.index: m.note for m in self._members if m.failure is not None}
        return pack({"members": self._states(active), "failed": failed, **to_cpu(found)})

    def do_load(self, packed: bytes) -> None:
        """Go to where :meth:`do_keep` was called, with members that were given before."""
        kept = unpack(packed)
        for place, note in kept["failed"].items():
            fail(self._members[place], note)
            self._told.add(place)
        self._open()
        for member in self._members:
            if self._index(member) in kept["members"]:
                self._place.restore(member, kept["members"][self._index(member)])
        self._go_to(Start(resets=False, environment=kept["environment"], boundary=kept["boundary"]))

    def do_close(self, _: None) -> None:
        """Give everything back."""
        executor, self._executor = self._executor, None
        try:
            if executor is not None:
                executor.close()
        finally:
            self._env.close()

    def _open(self) -> None:
        """Hand the members to the executor, and begin to gather what the environment reports."""
        cfg, interface = self._blueprint.cfg, self._env.interface
        if self._executor is None:
            self._executor = self._make_executor()
        self._executor.open(self._members, interface, self._mode, cfg)
        scopes = [member.scope for member in self._members]
        key, count = cfg.environment_info, interface.num_envs
        self._infos = InfoScalars(key, scopes, count, interface.actors)

    @property
    def _place(self) -> Place:
        if self._executor is None:
            raise TrainerStateError("the island has no members yet")
        return self._executor

    def _make_executor(self) -> Place:
        trainer = registry().load("trainer", self._blueprint.inside)
        place: Place = trainer.make_island_executor(self._blueprint.cfg)
        return place

    def _surroundings(self) -> State:
        assert self._boundary is not None
        return {
            "environment": self._env.state_dict(),
            "boundary": self._boundary.state_dict(),
        }

    def _states(self, members: Sequence[Member], *, learned: bool = False) -> dict[int, State]:
        found = self._place.snapshot(members, learned=learned)
        return {index + self._first: to_cpu(state) for index, state in found.items()}

    def _member(self, index: int) -> Member:
        return self._members[index - self._first]

    def _index(self, member: Member) -> int:
        """Tell the index of a member in the population; here they count from 0."""
        return member.index + self._first

    def _failures(self, timestep: int | None) -> list[Failure]:
        """Tell of members that failed since the last call."""
        new = [
            member
            for member in self._members
            if member.failure is not None and member.index not in self._told
        ]
        self._told |= {member.index for member in new}
        errors = [member.failure for member in new if member.failure is not None]
        return [Failure(timestep=timestep, error=renumbered(e, self._first)) for e in errors]
