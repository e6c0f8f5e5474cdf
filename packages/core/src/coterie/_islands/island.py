"""The island itself: an environment, an executor and their members, in whatever process."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch

from .._agents.transition import Transition
from .._envs.boundary import Boundary
from .._envs.team_boundary import make_boundary
from .._errors import TrainerStateError, WorkerError, WorkerStartError
from .._executors.interface import Place
from .._registry.manager import registry
from .._runs.info_scalars import InfoScalars
from .._trainers.loop import Clock, Cues, Pause, Span
from .._trainers.members import Member
from .._transport.packing import find_culprit, pack, to_cpu, unpack
from .._types import State
from .errors import pack_error
from .records import Answer, Blueprint, Failure, Opening, Order, Seat, Start, Stretch

_OUTCOME = ("rewards", "terminated", "truncated", "valid", "ended")


class Island:
    """Some members of a population, with an environment that holds their instances alone.

    Whoever runs it calls :meth:`answer` for each call that the trainer makes, one after the other
    and in their order.

    Args:
        blueprint: What it is built from, packed with :func:`coterie.transport.pack`.
    """

    def __init__(self, blueprint: bytes) -> None:
        self._blueprint: Blueprint = unpack(blueprint)
        if self._blueprint.threads is not None:
            torch.set_num_threads(self._blueprint.threads)
        self._env = self._blueprint.make(self._blueprint.num_envs)
        self._members: list[Member] = []
        self._executor: Place | None = None
        self._boundary: Boundary | None = None
        self._told: set[int] = set()
        self._left_at = time.perf_counter()

    def answer(self, call: str, argument: Any) -> Answer:
        """Do what the trainer asks for; whatever is raised goes into the answer.

        Args:
            call: Name of one of the methods below.
            argument: What it is given.
        """
        try:
            return Answer(value=getattr(self, f"do_{call}")(argument))
        except BaseException as error:
            return Answer(error=pack_error(error, self._blueprint.about))
        finally:
            self._left_at = time.perf_counter()

    def do_open(self, packed: bytes) -> list[Failure]:
        """Take members over for a run; return those that failed at it."""
        opening: Opening = unpack(packed)
        self._told = {seat.index for seat in opening.seats if seat.status == "failed"}
        found: list[Failure] = []
        self._members = [_unpack_seat(seat, found) for seat in opening.seats]
        self._told |= {failure.error.agent_index for failure in found}
        if self._executor is None:
            self._executor = self._make_executor()
        blueprint = self._blueprint
        mode: Any = opening.mode
        self._executor.open(self._members, self._env.interface, mode, blueprint.cfg)
        scopes = [member.scope for member in self._members]
        actors = self._env.interface.actors
        key = blueprint.cfg.environment_info
        self._infos = InfoScalars(key, scopes, self._env.num_envs, actors)
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
        log, clock = _Log(), Clock()
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
            error=None if error is None else pack_error(error, self._blueprint.about),
            kept=self.do_keep(None) if kept else None,
            exact=self._env.saves_state,
            environment=clock.environment,
            members=clock.members,
            waited=waited,
        )

    def do_metrics(self, _: None) -> dict[int, dict[str, float]]:
        """Hand over the scalars of members and environment since the last call, by index."""
        rows = zip(self._members, self._place.metrics(), self._infos.take(), strict=True)
        return {member.index: {**scalars, **infos} for member, scalars, infos in rows}

    def do_snapshot(self, wanted: tuple[Sequence[int], bool]) -> bytes:
        """Return states of members by index, packed."""
        indices, learned = wanted
        members = [member for member in self._members if member.index in indices]
        return pack(to_cpu(self._place.snapshot(members, learned=learned)))

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
        return pack(to_cpu({"members": self._place.snapshot(active), **found}))

    def do_load(self, packed: bytes) -> None:
        """Go to where :meth:`do_keep` was called, with members that were given before."""
        kept = unpack(packed)
        for member in self._members:
            if member.index in kept["members"]:
                self._place.restore(member, kept["members"][member.index])
        self._go_to(Start(resets=False, environment=kept["environment"], boundary=kept["boundary"]))

    def do_describe(self, _: None) -> str:
        """Say how the executor placed the members."""
        return self._place.describe()

    def do_close(self, _: None) -> None:
        """Give everything back."""
        executor, self._executor = self._executor, None
        try:
            if executor is not None:
                executor.close()
        finally:
            self._env.close()

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

    def _member(self, index: int) -> Member:
        return next(member for member in self._members if member.index == index)

    def _failures(self, timestep: int | None) -> list[Failure]:
        """Tell of members that failed since the last call."""
        new = [
            member
            for member in self._members
            if member.failure is not None and member.index not in self._told
        ]
        self._told |= {member.index for member in new}
        return [Failure(timestep=timestep, error=m.failure) for m in new if m.failure is not None]


class _Absent:
    """What stands for the agent of a member that has failed."""

    def __init__(self, agent: Any) -> None:
        self.seed, self.uses_infos = agent.seed, False


def pack_seat(member: Member, first: int) -> Seat:
    """Pack a member for an island.

    Args:
        member: The member.
        first: First instance of the island.

    Raises:
        WorkerStartError: It can't be packed; the message names the part that can't.
    """
    failed = member.failure is not None
    try:
        agent = pack(_Absent(member.agent) if failed else member.agent)
    except Exception as error:
        raise WorkerStartError(
            f"agent {member.index} ({member.name!r}) can't be sent to an island: "
            f"{find_culprit(member.agent)} can't be pickled ({type(error).__name__}: {error}); "
            "leave it out of the state with __getstate__, or create it in setup()",
            agent_index=member.index,
            agent_name=member.name,
            phase="start",
        ) from error
    return Seat(
        index=member.index,
        name=member.name,
        first=member.scope.start - first,
        stop=member.scope.stop - first,
        agent=agent,
        streams=None if member.streams is None else pack(member.streams),
        status=member.status,
        note=member.note,
    )


def _unpack_seat(seat: Seat, failures: list[Failure]) -> Member:
    """Rebuild a member; one that can't be rebuilt fails."""
    who: Any = {"agent_index": seat.index, "agent_name": seat.name, "phase": "load"}
    error: WorkerError | None = None
    try:
        agent = unpack(seat.agent)
    except Exception as caught:
        about = f"agent {seat.index} ({seat.name!r}) could not be rebuilt on its island"
        error = WorkerStartError(
            f"{about}: {type(caught).__name__}: {caught}",
            remote_traceback="".join(traceback.format_exception(caught)),
            **who,
        )
        failures.append(Failure(timestep=None, error=error))
        agent = SimpleNamespace(seed=0, uses_infos=False)
    if seat.status == "failed":
        error = WorkerStartError(seat.note, **who)
    return Member(
        index=seat.index,
        name=seat.name,
        agent=agent,
        scope=slice(seat.first, seat.stop),
        status="failed" if error is not None else seat.status,
        failure=error,
        reason=seat.note if error is None else "",
        streams=None if seat.streams is None else unpack(seat.streams),
    )


class _Log:
    """What happens in a stretch.

    Attributes:
        steps: How many timesteps were done.
        failures: Members that failed.
        metrics: By number of timesteps done, scalars by the member's index.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.failures: list[Failure] = []
        self.metrics: dict[int, Any] = {}
        self._parts: dict[str, list[Any]] = {}

    def add(self, transition: Transition[Any]) -> None:
        """Note a step."""
        self.steps += 1
        for name in _OUTCOME:
            part = getattr(transition, name)
            if part is not None and not (name == "valid" and transition.all_valid):
                self._parts.setdefault(name, []).append(part)

    def outcome(self) -> dict[str, Any]:
        """Stack what was noted: arrays ``[steps, n]``, or dicts by actor of such."""
        return {name: _stack(parts) for name, parts in self._parts.items()}


def _stack(parts: list[Any]) -> Any:
    if not isinstance(parts[0], dict):
        return torch.stack(parts).cpu().numpy()
    return {name: _stack([part[name] for part in parts]) for name in parts[0]}
