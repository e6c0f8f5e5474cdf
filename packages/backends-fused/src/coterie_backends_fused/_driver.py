"""What the members of one stack do between two environment steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from coterie import (
    Interface,
    Member,
    MemberDriver,
    Mode,
    RandomActor,
    Stack,
    Transition,
    WorkerError,
)
from coterie.spaces import ActionCheck, tree_cat, tree_map

from ._rows import Rows

Failure = tuple[Member, WorkerError]


class StackDriver:
    """Runs a stack: the counterpart of a member's driver for several members at once.

    It takes the members' rows out of the environment's tensors and brings them to the stack's
    device. What an exception in the stack's own code costs is the whole stack; a member that the
    stack froze is one failure, and its scope acts at random from then on.

    Args:
        drivers: The members' own drivers, in the order of the stack.
        stack: Their agents, stacked.
        interface: Spaces, number of instances and device of the environment.
        mode: ``"train"``, or ``"eval"``: act only.
        deterministic: Whether to take the mean actions.
        debug: Whether to check that actions lie within their space.

    Attributes:
        failures: Members that failed since somebody looked.
        broken: Whether the whole stack failed.
        seconds: Time that acting, recording and learning took.
    """

    def __init__(
        self,
        drivers: Sequence[MemberDriver],
        stack: Stack,
        interface: Interface,
        mode: Mode,
        *,
        deterministic: bool,
        debug: bool,
    ) -> None:
        self.drivers, self.stack = tuple(drivers), stack
        self.members = tuple(driver.member for driver in drivers)
        self.failures: list[Failure] = []
        self.broken = False
        self.seconds = {"act": 0.0, "record": 0.0, "learn": 0.0}
        agent = self.members[0].agent
        home, device = interface.device, agent.device
        self.rows = Rows(self.members, interface.num_envs, home, device)
        self._interface, self._mode = interface, mode
        self._home = None if home == device else home
        self._deterministic = deterministic
        self._uses_infos = any(member.agent.uses_infos for member in self.members)
        self._check = ActionCheck(interface.action_space, self.rows.count, contained=debug)
        self._substitutes: dict[int, RandomActor] = {}
        self._timestep = self._timesteps = 0
        self._phase = "setup"
        self._observations: Any = None
        self._states: Any = None
        stack.enable_training_mode(mode == "train")

    def position(self, member: Member) -> int:
        """Find a member's place in the stack."""
        return self.members.index(member)

    @property
    def whole(self) -> bool:
        """Whether the stack is the whole environment's population, and nobody in it has failed."""
        return self.rows.whole and not (self.broken or self._substitutes)

    def frozen(self, position: int) -> bool:
        """Whether the member at ``position`` has failed."""
        return self.broken or position in self._substitutes

    def take_failures(self) -> list[Failure]:
        """Hand over who failed since the last call."""
        failures, self.failures = self.failures, []
        return failures

    def go_to(self, timestep: int, timesteps: int) -> None:
        """Set the timestep, of ``timesteps`` in all, that comes next."""
        self._timestep, self._timesteps = timestep, timesteps

    def look(self, observations: Any, states: Any) -> None:
        """Take note of what the actions of the timestep that goes on answered."""
        self._observations, self._states = self.rows.gather(observations), self.rows.gather(states)

    def begin(self, observations: Any, states: Any, *, cut: bool) -> Any:
        """Answer the first observations ``[num_envs, ...]`` of a run.

        Returns:
            Actions of the members, ``[P * n, ...]``, on the environment's device.
        """
        return self.guarded("reset", self._begin, observations, states, cut)

    def advance(self, transition: Transition, observations: Any, states: Any) -> Any:
        """Record a step of the whole environment, learn, and answer the next observations."""
        return self.guarded("record", self._advance, transition, observations, states)

    def finish(self, transition: Transition) -> None:
        """Record the last step of the run, and learn."""
        if self._mode == "train":
            self.guarded("record", self._learn, transition)

    def _begin(self, observations: Any, states: Any, cut: bool) -> Any:
        if cut and self._mode == "train":
            self.stack.episodes_cut()
        self.look(observations, states)
        return self._act()

    def _advance(self, transition: Transition, observations: Any, states: Any) -> Any:
        own = self._learn(transition) if self._mode == "train" else None
        if own is None:
            self.stack.episodes_ended(self.rows.gather(transition.starts))
        self._timestep += 1
        gather = self.rows.gather
        same = own is not None and observations is transition.next_observations
        self._observations = own.next_observations if same and own else gather(observations)
        same = own is not None and states is transition.next_states
        self._states = own.next_states if same and own else gather(states)
        return self._act()

    def _learn(self, transition: Transition[Any]) -> Transition[Any]:
        start = time.perf_counter()
        at = {"timestep": self._timestep, "timesteps": self._timesteps}
        own = self.rows.cut(transition, self._observations, self._states, infos=self._uses_infos)
        self.stack.record_transition(own, **at)
        self.seconds["record"] += time.perf_counter() - start
        self._phase = "post_interaction"
        self.learn()
        return own

    def learn(self) -> None:
        """Let the stack learn after a timestep; members that it froze act at random from now on."""
        start = time.perf_counter()
        failures = self.stack.post_interaction(timestep=self._timestep, timesteps=self._timesteps)
        self._freeze(failures)
        self.seconds["learn"] += time.perf_counter() - start

    def _act(self) -> Any:
        start = time.perf_counter()
        at = {"timestep": self._timestep, "timesteps": self._timesteps}
        if self._mode == "train":
            self._phase = "pre_interaction"
            self.stack.pre_interaction(**at)
        self._phase = "act"
        with torch.no_grad():
            actions = self.stack.act(
                self._observations, states=self._states, deterministic=self._deterministic, **at
            )
        self._check(actions)
        if self._home is not None or not isinstance(actions, torch.Tensor):
            actions = tree_map(lambda tensor: tensor.to(self._home), actions)
        if self._substitutes:
            actions = self._substituted(actions)
        self.seconds["act"] += time.perf_counter() - start
        return actions

    def _freeze(self, failures: Mapping[int, Exception]) -> None:
        for position, error in failures.items():
            if position not in self._substitutes:
                self.failures.append(self._failure(position, "post_interaction", error))
                actor = RandomActor(self.members[position], self._interface)
                self._substitutes[position] = actor

    def _failure(self, position: int, phase: str, error: BaseException) -> Failure:
        """Give an exception the name of a member, as its own driver does."""
        timestep = None if phase == "setup" else self._timestep
        return named_failure(self.drivers[position], phase, timestep, error)

    def guarded(self, phase: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do something in the stack's own code; ``None``: it failed, and the stack is broken."""
        self._phase = phase
        try:
            return work(*arguments)
        except (Exception, SystemExit) as error:
            self.fail(error)
            return None

    def fail(self, error: BaseException) -> None:
        """Count every member as failed: the error came from the code that they share."""
        self.broken = True
        together = ", ".join(member.name for member in self.members)
        for position in range(len(self.members)):
            if position not in self._substitutes:
                failure = self._failure(position, self._phase, error)
                failure[1].add_note(f"in the code that these members share: {together}")
                self.failures.append(failure)

    def _substituted(self, actions: Any) -> Any:
        size = self.rows.count // len(self.members)
        parts = [
            self._substitutes[p].act(self._timestep)
            if p in self._substitutes
            else tree_map(lambda t, p=p: t[p * size : (p + 1) * size], actions)
            for p in range(len(self.members))
        ]
        return tree_cat(parts)


def named_failure(
    driver: MemberDriver, phase: str, timestep: int | None, error: BaseException
) -> Failure:
    """Give an exception the name of a member, as its own driver does."""
    driver.timestep = timestep
    try:
        with driver.during(phase):
            raise error
    except WorkerError as failure:
        return driver.member, failure
