"""The executor that works in the caller's process, member after member."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from .._errors import TrainerStateError, WorkerError
from .._seeding import GlobalStreams
from .._trees import tree_cat
from .cutting import MemberDriver
from .driver import RowsDriver
from .interface import Executor, Mode
from .substitute import RandomActor

if TYPE_CHECKING:
    from .._agents.transition import Transition
    from .._envs.interface import Interface
    from .._trainers.cfg import TrainerCfg
    from .._trainers.members import Member
    from .._types import State, Tree


class LocalExecutor(Executor):
    """Every member in turn, in the caller's process, on the caller's own agent objects."""

    driver_class: ClassVar[type[RowsDriver]] = MemberDriver
    """What runs a member."""

    def __init__(self) -> None:
        self._members: tuple[Member, ...] = ()
        self._drivers: dict[int, RowsDriver] = {}
        self._random: dict[int, RandomActor] = {}
        self._interface: Interface | None = None
        self._raises = True
        self._timestep = 0

    def open(
        self, members: Sequence[Member], interface: Interface, mode: Mode, cfg: TrainerCfg
    ) -> None:
        """Get every member's agent ready."""
        self._members, self._interface = tuple(members), interface
        self._raises = cfg.on_member_failure != "continue"
        self._random = {m.index: RandomActor(m, interface) for m in members if not m.active}
        self._drivers = {
            member.index: self.driver_class(
                member,
                interface,
                mode,
                deterministic=mode == "eval" and not cfg.stochastic_evaluation,
                debug=cfg.debug,
            )
            for member in members
            if member.active
        }
        self._each(lambda driver: driver.setup())

    def begin(
        self, observations: Tree, states: Tree | None, *, timestep: int, timesteps: int, cut: bool
    ) -> Any:
        """Let every member answer the first observations."""
        self._timestep = timestep
        return self._gather(
            lambda driver: driver.begin(
                observations, states, timestep=timestep, timesteps=timesteps, cut=cut
            )
        )

    def advance(self, transition: Transition, observations: Tree, states: Tree | None) -> Any:
        """Let every member record, learn and act."""
        self._timestep += 1
        return self._gather(lambda driver: driver.advance(transition, observations, states))

    def finish(self, transition: Transition) -> None:
        """Let every member record and learn."""
        self._each(lambda driver: driver.finish(transition))

    def metrics(self) -> list[Mapping[str, float]]:
        """Hand over each member's scalars."""
        found = self._each(lambda driver: driver.metrics())
        return [found.get(member.index, {}) for member in self._members]

    def snapshot(
        self, members: Sequence[Member] | None = None, *, learned: bool = False
    ) -> dict[int, State]:
        """Return the state of members; tensors in it may be the agents' own."""
        chosen = self._members if members is None else members
        return {
            member.index: self._drivers[member.index].snapshot(learned=learned)
            for member in chosen
            if member.index in self._drivers
        }

    def handover(self, members: Sequence[Member]) -> dict[int, State]:
        """Return what members go on from elsewhere; tensors in it may be the agents' own."""
        return {
            member.index: self._drivers[member.index].handover()
            for member in members
            if member.index in self._drivers
        }

    def restore(self, member: Member, state: State) -> None:
        """Give a member a state."""
        self._driver(member).restore(state)

    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> None:
        """Change settings of a member's agent."""
        self._driver(member).reconfigure(settings)

    def settle(self, members: Sequence[Member]) -> None:
        """End the run; the agents are the caller's own already."""
        self._each(lambda driver: driver.leave())

    def close(self, deadline: float = 5.0) -> None:
        """Forget the members."""
        self._drivers, self._random, self._members = {}, {}, ()

    def _driver(self, member: Member) -> RowsDriver:
        if member.index not in self._drivers:
            raise TrainerStateError(f"member {member.name!r} is not running")
        return self._drivers[member.index]

    def _each(self, action: Callable[[RowsDriver], Any]) -> dict[int, Any]:
        """Do something with every living member; what fails is dealt with when all had their turn.

        The others finish the step first, so that what they learned is whole.
        """
        results: dict[int, Any] = {}
        failures: list[tuple[Member, WorkerError]] = []
        swapping = sum(driver.swaps_streams for driver in self._drivers.values())
        with GlobalStreams.in_turn() if swapping > 1 else nullcontext():
            for index, driver in list(self._drivers.items()):
                try:
                    results[index] = action(driver)
                except WorkerError as error:
                    failures.append((driver.member, error))
        for member, failure in failures:
            self._fail(member, failure)
        if failures and self._raises:
            raise failures[0][1]
        return results

    def _fail(self, member: Member, error: WorkerError) -> None:
        assert self._interface is not None
        member.status, member.failure = "failed", error
        self._random[member.index] = RandomActor(member, self._interface)
        with suppress(WorkerError):
            self._drivers.pop(member.index).leave()

    def _gather(self, action: Callable[[RowsDriver], Any]) -> Any:
        found = self._each(action)
        return tree_cat(
            [
                found[m.index] if m.index in found else self._random[m.index].act(self._timestep)
                for m in self._members
            ]
        )
