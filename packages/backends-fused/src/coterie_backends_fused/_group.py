"""Members of a population in one process: stacked where they are alike, else in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from coterie import (
    ConfigError,
    Interface,
    Member,
    MemberDriver,
    Mode,
    RandomActor,
    StackKey,
    State,
    TrainerStateError,
    Transition,
    WorkerError,
    refused_settings,
    refused_state,
)
from coterie.spaces import tree_cat, tree_map

from ._driver import Failure, StackDriver, named_failure
from ._placement import Placement, explain, find_groups, find_key
from ._rows import order_of


class FusedGroup:
    """Runs members whose scopes are rows of the tensors that it is given.

    An executor in the caller's process gives it the whole population; a worker process may give
    it the members that it holds, with the rows that belong to them.

    Args:
        members: Members in order of scope; those that have failed act at random.
        interface: Spaces and device; ``num_envs`` is the number of rows.
        mode: ``"train"``, or ``"eval"``: act only.
        deterministic: Whether to take the mean actions.
        debug: Whether to check that actions lie within their space.
        raises: Whether a failure is raised when every member had its turn, or only noted.
        smallest_stack: How many members that are alike it takes to stack them.
    """

    def __init__(
        self,
        members: Sequence[Member],
        interface: Interface,
        mode: Mode,
        *,
        deterministic: bool = False,
        debug: bool = False,
        raises: bool = True,
        smallest_stack: int = 2,
    ) -> None:
        self.members = tuple(members)
        self.placement = Placement()
        self._interface, self._mode = interface, mode
        self._options = {"deterministic": deterministic, "debug": debug}
        self._raises, self._smallest = raises, smallest_stack
        self._random = {m.index: RandomActor(m, interface) for m in members if not m.active}
        self._drivers = {
            m.index: MemberDriver(m, interface, mode, **self._options) for m in members if m.active
        }
        self._stacks: list[StackDriver] = []
        self._ever_stacked: set[int] = set()
        self._pieces: list[tuple[Member, ...]] = []
        self._singles: list[MemberDriver] = []
        self._order: Any = None
        self._formed = False
        self._timestep = self._timesteps = 0
        self._seconds: dict[str, float] = {}

    def open(self) -> None:
        """Get every member ready, and stack those that are alike.

        Raises:
            WorkerError: A member failed, and failures are raised.
        """
        self._each(self._drivers.values(), lambda driver: driver.setup())
        self._form()

    def begin(
        self, observations: Any, states: Any, *, timestep: int, timesteps: int, cut: bool
    ) -> Any:
        """Answer the first observations of a run; arguments as for an executor.

        Returns:
            Actions of all members, in order of scope.
        """
        self._timestep, self._timesteps = timestep, timesteps
        self._ensure_formed()
        at = {"timestep": timestep, "timesteps": timesteps}
        for stack in self._stacks:
            stack.go_to(timestep, timesteps)
        return self._gather(
            lambda stack: stack.begin(observations, states, cut=cut),
            lambda driver: driver.begin(observations, states, cut=cut, **at),
        )

    def advance(self, transition: Transition, observations: Any, states: Any) -> Any:
        """Let every member record a step, learn, and answer the next observations."""
        self._ensure_formed(transition)
        self._timestep += 1
        return self._gather(
            lambda stack: stack.advance(transition, observations, states),
            lambda driver: driver.advance(transition, observations, states),
        )

    def whole_stack(self) -> StackDriver | None:
        """Return the stack that the whole population is, unless somebody in it has failed."""
        self._ensure_formed()
        if len(self._stacks) != 1 or self._singles or not self._stacks[0].whole:
            return None
        return self._stacks[0]

    def go_to(self, timestep: int, timesteps: int, *, cut: bool) -> None:
        """Set the timestep, of ``timesteps`` in all, that comes next.

        Args:
            timestep: The timestep.
            timesteps: Where the count of timesteps ends.
            cut: Whether the run starts from a reset, which cut what stacks recorded before.
        """
        self._timestep, self._timesteps = timestep, timesteps
        for stack in self._stacks:
            stack.go_to(timestep, timesteps)
            if cut:
                stack.guarded("reset", stack.stack.episodes_cut)

    def settle_failures(self) -> None:
        """Deal with the failures in stacks since the last time.

        Raises:
            WorkerError: There was one, and failures are raised.
        """
        self._settle_failures(
            [failure for stack in self._stacks for failure in stack.take_failures()]
        )

    def finish(self, transition: Transition) -> None:
        """Let every member record the last step of the run and learn."""
        self._ensure_formed(transition)
        self._run(lambda stack: stack.finish(transition), lambda driver: driver.finish(transition))

    def metrics(self) -> list[Mapping[str, float]]:
        """Hand over each member's scalars, in order of the members."""
        found = self._each(self._singles, lambda driver: driver.metrics())
        for stack in self._stacks:
            scalars = stack.stack.metrics()
            for position, member in enumerate(stack.members):
                if not stack.frozen(position):
                    found[member.index] = scalars[position]
        return [found.get(member.index, {}) for member in self.members]

    def snapshot(
        self, members: Sequence[Member] | None = None, *, learned: bool = False
    ) -> dict[int, State]:
        """Return the full state of members that have not failed, or what they learned, by index."""
        chosen = self.members if members is None else members
        return {m.index: self._state(m, learned) for m in chosen if m.index in self._drivers}

    def _state(self, member: Member, learned: bool) -> State:
        driver, stack = self._drivers[member.index], self._stack_of(member)
        if stack is None:
            return driver.snapshot(learned=learned)
        with driver.during("state"):
            if learned:
                return {"learned": stack.stack.learned(stack.position(member))}
            return {"agent": stack.stack.state_dict(stack.position(member)), "streams": None}

    def handover(self, members: Sequence[Member]) -> dict[int, State]:
        """Return what members that have not failed go on from elsewhere, by index."""
        return {m.index: self._handover(m) for m in members if m.index in self._drivers}

    def _handover(self, member: Member) -> State:
        driver, stack = self._drivers[member.index], self._stack_of(member)
        if stack is None:
            return driver.handover()
        with driver.during("state"):
            return {"agent": stack.stack.handover(stack.position(member)), "streams": None}

    def restore(self, member: Member, state: State) -> None:
        """Give a member a state, between two timesteps.

        Where it is of another point of the agent's rhythm than the stack's, stacks are formed
        anew before the next timestep.

        Raises:
            CheckpointMismatch: The state does not fit; the member is as it was.
        """
        driver, stack = self._driver(member), self._stack_of(member)
        if stack is not None and not stack.frozen(stack.position(member)):
            try:
                if _restored(stack, stack.position(member), state):
                    return
            except Exception as error:
                raise refused_state(member, error) from error
            self.dissolve()
        driver.restore(state)

    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> None:
        """Change settings of a member's agent, between two timesteps.

        Raises:
            ConfigError: A setting is unknown, wrong, or can't change; the member is as it was.
            WorkerRaised: The agent failed.
        """
        driver, stack = self._driver(member), self._stack_of(member)
        if stack is None:
            driver.reconfigure(settings)
            return
        try:
            stack.stack.reconfigure(stack.position(member), settings)
        except ConfigError as error:
            raise refused_settings(member, error) from error
        except Exception as error:
            raise named_failure(driver, "reconfigure", self._timestep, error)[1] from error

    def dissolve(self) -> None:
        """Bring what stacks learned home, into the members' own agents, and give them up.

        Raises:
            WorkerError: A member's agent did not take it; the others did.
        """
        failures: list[Failure] = []
        for stack in self._stacks:
            self._note_seconds(stack)
            for position, member in enumerate(stack.members):
                if not stack.frozen(position):
                    failures += self._bring_home(stack, position, member)
        self._stacks, self._formed = [], False
        self._lay_out()
        self._settle_failures(failures)

    def settle(self) -> None:
        """End a run: every agent holds what it learned, and is as evaluation found it."""
        try:
            self.dissolve()
        finally:
            self._each(self._drivers.values(), lambda driver: driver.leave())

    def timings(self) -> dict[str, float]:
        """Seconds that stacked members took to act, record and learn."""
        total = dict(self._seconds)
        for stack in self._stacks:
            for name, value in stack.seconds.items():
                total[name] = total.get(name, 0.0) + value
        return total

    def _note_seconds(self, stack: StackDriver) -> None:
        for name, value in stack.seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + value

    def _bring_home(self, stack: StackDriver, position: int, member: Member) -> list[Failure]:
        try:
            with self._drivers[member.index].during("state"):
                stack.stack.unstack(position)
        except WorkerError as failure:
            return [(member, failure)]
        return []

    def _form(self) -> None:
        """Stack what is alike; who was stacked before is so again, if need be by itself."""
        alive = [member for member in self.members if member.index in self._drivers]
        keys: dict[int, StackKey] = self._each(
            [self._drivers[member.index] for member in alive], lambda driver: _key(driver)
        )
        alive = [member for member in alive if member.index in keys]
        again = [member for member in alive if member.index in self._ever_stacked]
        free = again if self._ever_stacked else alive
        groups = find_groups(free, keys, 1 if again else self._smallest)
        failures: list[Failure] = []
        self._stacks = []
        for group in groups:
            failures += self._stack(group)
        stacked = {m.index for stack in self._stacks for m in stack.members}
        self._ever_stacked |= stacked
        self.placement = Placement(
            stacks=tuple(tuple(m.name for m in stack.members) for stack in self._stacks),
            alone={
                m.name: explain(m, alive, keys, self._smallest)
                for m in alive
                if m.index not in stacked
            },
        )
        self._formed = True
        self._lay_out()
        self._settle_failures(failures)

    def _stack(self, members: tuple[Member, ...]) -> list[Failure]:
        """Stack members; what goes wrong is a failure of each of them."""
        drivers = [self._drivers[member.index] for member in members]
        agents = [member.agent for member in members]
        try:
            stack = agents[0].stack(agents)  # type: ignore[attr-defined]
            made = StackDriver(drivers, stack, self._interface, self._mode, **self._options)
        except (Exception, SystemExit) as error:
            return [named_failure(driver, "setup", None, error) for driver in drivers]
        made.go_to(self._timestep, self._timesteps)
        self._stacks.append(made)
        return []

    def _ensure_formed(self, transition: Transition | None = None) -> None:
        if self._formed:
            return
        self._form()
        if transition is not None:
            for stack in self._stacks:
                stack.look(transition.observations, transition.states)

    def _lay_out(self) -> None:
        """Plan how the actions of stacks and single members become one tensor."""
        stacked = {m.index for stack in self._stacks for m in stack.members}
        self._singles = [driver for i, driver in self._drivers.items() if i not in stacked]
        self._pieces = [stack.members for stack in self._stacks]
        self._pieces += [(m,) for m in self.members if m.index not in stacked]
        self._order = order_of(self._pieces, self._interface.device)

    def _stack_of(self, member: Member) -> StackDriver | None:
        return next((stack for stack in self._stacks if member in stack.members), None)

    def _driver(self, member: Member) -> MemberDriver:
        if member.index not in self._drivers:
            raise TrainerStateError(f"member {member.name!r} is not running")
        return self._drivers[member.index]

    def _gather(
        self, of_stack: Callable[[StackDriver], Any], of_member: Callable[[MemberDriver], Any]
    ) -> Any:
        found = self._run(of_stack, of_member)
        if len(self._pieces) == 1 and self._pieces[0][0].index in found:
            return found[self._pieces[0][0].index]
        parts = [
            found[piece[0].index]
            if piece[0].index in found
            else self._random[piece[0].index].act(self._timestep)
            for piece in self._pieces
        ]
        side_by_side = tree_cat(parts)
        if self._order is None:
            return side_by_side
        return tree_map(lambda tensor: tensor.index_select(0, self._order), side_by_side)

    def _run(
        self, of_stack: Callable[[StackDriver], Any], of_member: Callable[[MemberDriver], Any]
    ) -> dict[int, Any]:
        """Let stacks and single members have their turn; deal with failures when all had it.

        Returns:
            What they returned, by the index of the first member.
        """
        failures: list[Failure] = []
        results: dict[int, Any] = {}
        for stack in self._stacks:
            result = of_stack(stack)
            failures += stack.take_failures()
            if not stack.broken:
                results[stack.members[0].index] = result
        for driver in self._singles:
            try:
                results[driver.member.index] = of_member(driver)
            except WorkerError as error:
                failures.append((driver.member, error))
        self._settle_failures(failures)
        return results

    def _each(self, drivers: Any, action: Callable[[MemberDriver], Any]) -> dict[int, Any]:
        """Do something with every driver; what fails is dealt with when all had their turn."""
        results: dict[int, Any] = {}
        failures: list[Failure] = []
        for driver in list(drivers):
            try:
                results[driver.member.index] = action(driver)
            except WorkerError as error:
                failures.append((driver.member, error))
        self._settle_failures(failures)
        return results

    def _settle_failures(self, failures: list[Failure]) -> None:
        for member, failure in failures:
            self._fail(member, failure)
        self._stacks = [stack for stack in self._stacks if not stack.broken]
        if failures:
            self._lay_out()
            if self._raises:
                raise failures[0][1]

    def _fail(self, member: Member, error: WorkerError) -> None:
        """Freeze a member; its agent gets the state that it had in a stack, as far as it can."""
        member.status, member.failure = "failed", error
        self._random[member.index] = RandomActor(member, self._interface)
        stack = self._stack_of(member)
        if stack is not None:
            with suppress(Exception):
                stack.stack.unstack(stack.position(member))
        with suppress(WorkerError):
            self._drivers.pop(member.index).leave()


def _restored(stack: StackDriver, position: int, state: State) -> bool:
    """Give a stacked member a state; ``False``: it does not go with the others' rhythm."""
    if "learned" in state:
        return stack.stack.inherit(position, state["learned"])
    if not stack.stack.fits(state["agent"]):
        return False
    stack.stack.load_state_dict(position, state["agent"])
    return True


def _key(driver: MemberDriver) -> StackKey:
    with driver.during("setup"):
        return find_key(driver.member)
