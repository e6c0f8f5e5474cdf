"""The population of a run between two timesteps, as controllers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError, WorkerError
from .._nearest import did_you_mean
from .._registry.manager import registry
from .records import Change

if TYPE_CHECKING:
    from pathlib import Path

    from .._runs.records import MemberProgress, RunInfo
    from .._trainers.members import Member
    from .._trainers.session import Session
    from .._types import State
    from .journal import Journal


class Population:
    """What a controller may look at, and do, between two timesteps.

    A member whose code fails meanwhile is dealt with as ``on_member_failure`` says: either its
    error is raised, or it is frozen, and the method says ``False``.

    Args:
        session: The run.
        journal: Where changes are noted.
        by: Name of the controller.
    """

    def __init__(self, session: Session, journal: Journal, by: str) -> None:
        self._session, self._journal, self._by = session, journal, by

    @property
    def run(self) -> RunInfo:
        """What the run is; the settings in it are those that it began with."""
        return self._session.run

    @property
    def timestep(self) -> int:
        """Timesteps done."""
        return self._session.recorder.timestep

    @property
    def members(self) -> Sequence[Member]:
        """All members, in order of scope."""
        return self._session.members

    @property
    def active(self) -> list[Member]:
        """The members that act and learn, in order of scope."""
        return [member for member in self._session.members if member.active]

    def member(self, name: str) -> Member:
        """Find a member by its name.

        Raises:
            ConfigError: There is none; the message names the nearest.
        """
        names = [member.name for member in self.members]
        if name not in names:
            raise ConfigError(f"there is no member {name!r}{did_you_mean(name, names)}")
        return self.members[names.index(name)]

    def interrupted(self) -> bool:
        """Whether somebody wants the run to end: whoever waits in here must look."""
        return self._session.interrupted()

    def progress(self, member: Member) -> MemberProgress:
        """Tell how far a member is; its newest metrics are written first."""
        self._session.write_metrics()
        return self._session.recorder.progress(member)

    def episodes(self, member: Member) -> int:
        """Count the episodes of a member that have ended."""
        return self._session.tracker.members[member.index].count

    def mean_return(self, member: Member, since: int = 0) -> float | None:
        """Mean return of the member's last 100 episodes.

        Args:
            member: The member.
            since: How many of its first episodes not to count.

        Returns:
            The mean; ``None``: no episode has ended that counts.
        """
        found = self._session.tracker.members[member.index]
        recent = list(found.returns)[-max(0, found.count - since) :] if found.count > since else []
        return sum(recent) / len(recent) if recent else None

    def settings(self, member: Member) -> dict[str, Any]:
        """Return the settings of a member's agent that can change."""
        return {name: getattr(member.agent.cfg, name) for name in member.agent.changeable}

    def reconfigure(self, member: Member, settings: Mapping[str, Any]) -> bool:
        """Change settings of a member.

        Returns:
            Whether it is done; ``False``: the member failed.

        Raises:
            ConfigError: A setting is unknown, wrong, or can't change; nothing was changed.
        """
        return self._attempt(member, lambda: self._executor.reconfigure(member, settings))

    def snapshot(self, members: Sequence[Member], *, learned: bool = False) -> dict[int, State]:
        """Take the states of members, by index; of those that fail there is none.

        Args:
            members: Those to ask.
            learned: Whether to take only what another member can go on with; else all that the
                member itself would go on from, even what its checkpoints leave out.
        """
        states: dict[int, State] = {}

        def take(member: Member) -> None:
            place = self._executor
            states.update(
                place.snapshot([member], learned=True) if learned else place.handover([member])
            )

        for member in members:
            self._attempt(member, partial(take, member))
        return states

    def restore(self, member: Member, state: State, settings: Mapping[str, Any]) -> bool:
        """Give a member a state that :meth:`snapshot` returned, and settings.

        Args:
            member: The member.
            state: The state, its own from before or another member's.
            settings: Settings that it goes on with: all that can change and that are others
                than those in the state.

        Returns:
            Whether it is done; ``False``: the member failed.

        Raises:
            CheckpointMismatch: The state does not fit; nothing was changed.
            ConfigError: A setting is unknown, wrong, or can't change.
        """
        if not self._attempt(member, lambda: self._executor.restore(member, state)):
            return False
        return not settings or self.reconfigure(member, settings)

    def stop(self, reasons: Mapping[int, str]) -> None:
        """Stop members: each keeps what it has learned, and its scope acts at random.

        Args:
            reasons: Why, in one line, by index of the member.
        """
        self._session.stop_members(reasons)

    def checkpoint(self) -> Path | None:
        """Write a checkpoint; ``None``: the run keeps none, or it could not be written."""
        return self._session.checkpoint_now()

    def note(self, event: str, member: str = "", **more: Any) -> None:
        """Note a change in the run's lineage, and tell the plugins.

        Args:
            event: What it was.
            member: Name of the member; empty: all of them.
            more: Other fields of :class:`Change`.
        """
        change = Change(timestep=self.timestep, by=self._by, event=event, member=member, **more)
        self._journal.add(change)
        registry().emit("coterie_population_changed", run=self.run, change=change)

    @property
    def _executor(self) -> Any:
        return self._session.executor

    def _attempt(self, member: Member, work: Callable[[], Any]) -> bool:
        if not member.active:
            return False
        try:
            work()
        except WorkerError as error:
            self._session.fail(self.members[error.agent_index], error)
        return member.active
