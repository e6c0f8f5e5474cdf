"""The contract of the places where members live, and of executors, which the loop drives."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from .._agents.transition import Transition
    from .._envs.boundary import Boundary
    from .._envs.interface import Interface, VectorEnv
    from .._trainers.cfg import TrainerCfg
    from .._trainers.loop import Clock, Cues, Span
    from .._trainers.members import Member
    from .._types import State, Tree
    from .rollouts import Rollouts

Mode: TypeAlias = Literal["train", "eval"]


class Place(abc.ABC):
    """Where members live, act and learn, for as long as a trainer needs it.

    A run calls ``open``, goes through :meth:`interact`, then calls ``settle``; between two
    timesteps it may ask for states and settings of single members.
    """

    @abc.abstractmethod
    def open(
        self, members: Sequence[Member], interface: Interface, mode: Mode, cfg: TrainerCfg
    ) -> None:
        """Start the place, if it is not running yet, and hand the members over.

        Called at the start of each run. The members' agents hold what counts: an executor that
        keeps copies brings them up to date.

        Args:
            members: The population, in order of scope.
            interface: Spaces, number of instances and device of the environment.
            mode: ``"train"``, or ``"eval"``: act only, learn nothing.
            cfg: The trainer's configuration.
        """

    @abc.abstractmethod
    def interact(
        self, boundary: Boundary, span: Span, clock: Clock, cues: Cues
    ) -> Iterator[Transition]:
        """Let members and environment interact; yield each timestep.

        Args:
            boundary: The environment, reset.
            span: Which timesteps.
            clock: Counts the seconds.
            cues: Tell when to end, when members are reached, and when metrics are asked for.

        Yields:
            The step of the whole environment, when the members have dealt with it.
        """

    @abc.abstractmethod
    def metrics(self) -> list[Mapping[str, float]]:
        """Hand over each member's scalars since the last call, in order of the members."""

    @abc.abstractmethod
    def snapshot(
        self, members: Sequence[Member] | None = None, *, learned: bool = False
    ) -> dict[int, State]:
        """Return the state of members, by their index, between two timesteps.

        Args:
            members: Those to ask; ``None``: all that have not failed.
            learned: Whether to return only what another member can go on with.

        Returns:
            States for :meth:`restore`: with the keys ``"agent"``, what the agent's
            ``state_dict`` gives, and ``"streams"``, the state of the member's process-wide
            generators; or, with ``learned``, the key ``"learned"``, what its ``learned`` gives.

        Raises:
            WorkerError: A member could not give its state.
        """

    def handover(self, members: Sequence[Member]) -> dict[int, State]:
        """Return what members go on from elsewhere in the same run, by their index.

        An executor whose members live elsewhere asks their agents' ``handover``, which may tell
        more than their ``state_dict``.

        Args:
            members: Those to ask, none of which has failed.

        Returns:
            States as :meth:`snapshot` returns them.

        Raises:
            WorkerError: A member could not give its state.
        """
        return self.snapshot(members)

    def save(self, members: Sequence[Member], folder: Path) -> dict[int, State | None]:
        """Write the agents of members to ``folder``, between two timesteps.

        An executor whose members live elsewhere lets each write its own file.

        Args:
            members: Those to write, none of which has failed.
            folder: Where they go, each as ``NAME.safetensors``, as its ``save`` would write it.

        Returns:
            The state of each member's process-wide generators, by index: the part of
            :meth:`snapshot` that the file does not hold.

        Raises:
            CheckpointWriteError: A file could not be written.
            WorkerError: A member could not give its state.
        """
        from .saving import save_member

        states = self.snapshot(members)
        for member in members:
            if member.index in states:
                save_member(folder, member, states[member.index]["agent"])
        return {index: state["streams"] for index, state in states.items()}

    @abc.abstractmethod
    def restore(self, member: Member, state: State) -> None:
        """Give a member a state that :meth:`snapshot` returned, between two timesteps.

        It may be another member's, of an equal agent. With a full state the member goes on as
        that one would, random numbers included. With one that is only ``"learned"`` it goes on
        with what was learned there, and with the random numbers of its own.

        No bit of the other members changes.

        Raises:
            CheckpointMismatch: The state does not fit; the member is as it was, and goes on.
            WorkerError: The member failed.
            TrainerStateError: It is not running.
        """

    @abc.abstractmethod
    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> None:
        """Change settings of a member's agent, between two timesteps.

        Args:
            member: The member.
            settings: New values of settings in the agent's ``changeable``.

        Raises:
            ConfigError: A setting is unknown, wrong, or can't change any more; the member is as
                it was, and goes on.
            WorkerError: The member failed.
            TrainerStateError: It is not running.
        """

    def settle(self, members: Sequence[Member]) -> None:
        """Bring what a run changed home, into the members' own agents, when the run has ended.

        Called after a failure too, for what the healthy members learned; then comes ``close``.
        An executor that works on the callers' objects has little to do here. Failed members are
        left as they are.

        Args:
            members: The population, as it was given to :meth:`open` for training.
        """
        states = self.handover([member for member in members if member.active])
        for member in members:
            if member.index in states:
                member.agent.load_state_dict(states[member.index]["agent"])
                member.streams = states[member.index]["streams"]

    def timings(self) -> Mapping[str, float]:
        """Seconds since the start of the run that parts of the executor took, by name."""
        return {}

    def describe(self) -> str:
        """Say how the members were placed, for the user; empty where there is nothing to tell."""
        return ""

    @abc.abstractmethod
    def close(self, deadline: float = 5.0) -> None:
        """Give everything back. Afterwards no process, shared memory or descriptor is left.

        Args:
            deadline: Seconds after which force is used. Calling it again does nothing.
        """


class Executor(Place):
    """Where members act and learn: this process, worker processes, one stacked network.

    The loop calls ``open``, ``begin``, then ``advance`` for each timestep but the last, then
    ``finish``. Everything that a member does between two environment steps happens in one call,
    so an executor in other processes needs one round trip per step.

    When a member's code fails, the executor raises a :class:`~coterie.WorkerError`, or, with
    ``on_member_failure="continue"``, freezes the member: it sets ``member.status`` to
    ``"failed"`` and ``member.failure`` to the error, and answers valid random actions for its
    scope from then on. What the others do must not change by a bit.
    """

    def interact(
        self, boundary: Boundary, span: Span, clock: Clock, cues: Cues
    ) -> Iterator[Transition]:
        """Go through the one loop, which steps the environment here; arguments as for the base."""
        from .._trainers.loop import interact
        from .._trainers.rolling import roll

        rollouts = None if span.apart else self.rollouts(boundary.env)
        if rollouts is None:
            return interact(boundary, self, span, clock, cues)
        return roll(boundary, self, rollouts, span, clock, cues)

    def rollouts(self, env: VectorEnv) -> Rollouts | None:
        """Offer to go through several timesteps with the environment in one call.

        Args:
            env: The environment, which nobody else steps meanwhile.

        Returns:
            How; ``None``, the default: members act step by step.

        Raises:
            ConfigError: It was asked for and can't be done.
        """
        return None

    @abc.abstractmethod
    def begin(
        self, observations: Tree, states: Tree | None, *, timestep: int, timesteps: int, cut: bool
    ) -> Tree:
        """Answer the first observations of a run.

        Args:
            observations: Tensors ``[num_envs, ...]``.
            states: Privileged observations, or ``None``.
            timestep: The first timestep.
            timesteps: Where the count of timesteps ends.
            cut: Whether the run starts from a reset, which cut what agents recorded before.

        Returns:
            Actions ``[num_envs, ...]`` on the environment's device.
        """

    @abc.abstractmethod
    def advance(self, transition: Transition, observations: Tree, states: Tree | None) -> Tree:
        """Let every member record a step, learn, and answer the next observations.

        Args:
            transition: The step of the whole environment.
            observations: What the next actions answer: where an episode ended, the first
                observation of the next one.
            states: Privileged observations that belong to ``observations``, or ``None``.

        Returns:
            Actions ``[num_envs, ...]`` on the environment's device.
        """

    def begin_advance(
        self, transition: Transition, observations: Tree, states: Tree | None
    ) -> Callable[[], Tree]:
        """Do as :meth:`advance` does, in two parts: members that live elsewhere begin at once.

        The caller may do something else in between that does not concern the members. Here
        nothing is done before the second part.

        Returns:
            Waits until the members are done, and returns their actions; to be called once.
        """
        return lambda: self.advance(transition, observations, states)

    @abc.abstractmethod
    def finish(self, transition: Transition) -> None:
        """Let every member record the last step of the run and learn; nothing is acted."""
