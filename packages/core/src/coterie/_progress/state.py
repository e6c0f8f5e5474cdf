"""What the live table knows of a run."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from .._runs.records import MemberInfo, MetricRow, RunInfo
from .history import History
from .interface import View

_LOSSES = ("loss", "loss/policy", "loss/actor", "loss/q", "loss/critic")


@define
class MemberState:
    """What the live table knows of a member.

    Attributes:
        info: The member.
        status: ``"active"``, ``"failed"`` and so on.
        mean_return: Mean return of its last 100 episodes; ``None``: none ended yet.
        history: What that was before.
        loss: Name and value of its loss in the last metrics; ``None``: there was none.
    """

    info: MemberInfo
    status: str = "active"
    mean_return: float | None = None
    history: History = field(factory=History)
    loss: tuple[str, float] | None = None


@define
class RunState:
    """What the live table knows of a run.

    Attributes:
        run: The run.
        members: Its members.
        done: Timesteps of it that are done.
        seconds: Seconds since it started, or went on.
        pace: Timesteps per second, at the moment.
        shares: Fraction of the time per part of the run.
        checkpoint: Timesteps after which the state was last saved; ``None``: never.
    """

    run: RunInfo
    members: list[MemberState]
    done: int = 0
    seconds: float = 0.0
    pace: float = 0.0
    shares: dict[str, float] = field(factory=dict)
    checkpoint: int | None = None

    @property
    def total(self) -> int:
        """Timesteps of the run."""
        return self.run.timesteps - self.run.first_timestep

    def see(self, view: View) -> None:
        """Take over how the run is doing."""
        self.shares = dict(view.shares)
        for member, found in zip(self.members, view.members, strict=True):
            stops = (member.status, found.status) == ("active", "stopped")
            member.status = found.status
            if found.status != "active" and not stops:
                continue  # what its scope comes to is no longer its own
            member.mean_return = found.mean_return
            if found.mean_return is not None:
                member.history.add(found.mean_return)

    def take(self, rows: Sequence[MetricRow]) -> None:
        """Find the members' losses in metrics: of several, the policy's before others."""
        found: dict[str, dict[str, float]] = {}
        for row in rows:
            if row.name == "loss" or row.name.startswith("loss/"):
                found.setdefault(row.member, {})[row.name] = row.value
        for member in self.members:
            losses = found.get(member.info.name)
            if losses:
                name = next((name for name in _LOSSES if name in losses), next(iter(losses)))
                member.loss = name, losses[name]


def state_of(run: RunInfo, done: int = 0) -> RunState:
    """Begin to know a run.

    Args:
        run: The run.
        done: Timesteps of it that were done before.
    """
    return RunState(run, [MemberState(info) for info in run.members], done)
