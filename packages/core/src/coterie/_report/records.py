"""What a report is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from .._runs.series import Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_SEEDS = 3
"""With fewer seeds than that, no interval is told."""


@frozen(kw_only=True)
class Failure:
    """What happened to a failed member.

    Attributes:
        phase: What it was doing; ``None``: not known.
        timestep: When; ``None``: not known, or before the first.
        message: What happened.
    """

    phase: str | None
    timestep: int | None
    message: str


@frozen(kw_only=True)
class ReportedMember:
    """A member of a run.

    Attributes:
        run: Name of its run in the report.
        name: Its name there.
        kind: Name of the algorithm.
        seed: Seed; ``None``: not known.
        device: Device of the agent.
        instances: Number of instances in its scope.
        environment: The environment, with the settings that were given to it.
        settings: The agent's settings, with dotted names, and ``instances``.
        status: ``"trained"``, ``"failed"``, ``"stopped"`` before the others, ``"interrupted"``, or
            ``"unfinished"``: the run goes on, or was killed.
        episodes: Number of episodes that ended.
        steps: Environment steps of the member.
        wall_time: Seconds from the start of the run to the member's last metrics.
        result: Mean of the scalar over the last 100 episodes, or the last 20 values of a scalar
            that is not of episodes; ``None``: there are none.
        evaluation: Mean return in the newest evaluation; ``None``: there is none.
        failure: What happened, if it failed.
        stopped: Why it was stopped, if it was and the reason is known.
        series: Values of the scalar.
    """

    run: str
    name: str
    kind: str
    seed: int | None
    device: str
    instances: int
    environment: str
    settings: dict[str, Any]
    status: str
    episodes: int
    steps: float
    wall_time: float
    result: float | None
    evaluation: float | None
    failure: Failure | None
    stopped: str | None = None
    series: Series = field(repr=False, eq=False)


@frozen(kw_only=True)
class ReportedRun:
    """A run.

    Attributes:
        name: Name in the report: that of the folder, as far as needed to tell runs apart.
        path: The folder.
        status: ``"finished"``, ``"interrupted"``, ``"failed"`` or ``"running"``, which may mean
            that it was killed.
        environment: The environment, with the settings that were given to it.
        facts: More about it, by what it is: when, which trainer, which command, which machine.
        versions: Of the packages that it ran with.
        members: The population.
        wall_time: Seconds that it took so far.
        shares: Fraction of the time per part; those with ``/`` are contained in others.
        scalars: Names of scalars in the metrics.
        notes: What could not be read, or should be known.
        traceback: Text of its ``traceback.txt``, or its end; empty: there is none.
    """

    name: str
    path: Path
    status: str
    environment: str
    facts: dict[str, str]
    versions: dict[str, str]
    members: tuple[ReportedMember, ...]
    wall_time: float
    shares: dict[str, float]
    scalars: frozenset[str]
    notes: tuple[str, ...]
    traceback: str


@frozen(kw_only=True)
class Group:
    """Members that differ in their seeds alone.

    Attributes:
        mark: A letter, the same for the same algorithm and settings in each environment.
        label: What sets it apart from other groups.
        environment: The environment.
        kind: Name of the algorithm.
        settings: The settings of all its members.
        members: The members.
    """

    mark: str
    label: str
    environment: str
    kind: str
    settings: dict[str, Any] = field(repr=False)
    members: tuple[ReportedMember, ...] = field(repr=False)

    @property
    def title(self) -> str:
        """Mark and label."""
        return f"{self.mark}: {self.label}"

    @property
    def results(self) -> list[float]:
        """Results of the members that have one."""
        return [m.result for m in self.members if m.result is not None]


@frozen(kw_only=True)
class Band:
    """An interquartile mean with its 95 % bootstrap interval.

    Attributes:
        mean: The interquartile mean.
        low: Lower end of the interval; NaN: there are too few seeds for one.
        high: Upper end; NaN likewise.
    """

    mean: float
    low: float
    high: float


@frozen(kw_only=True, eq=False)
class GroupCurve:
    """Curves of a group on a grid that all groups of its environment share.

    Attributes:
        group: The group.
        x: The grid, float64 ``[points]``: environment steps of each member, or seconds.
        members: Value of each member there, float64 ``[members, points]``; NaN where it has none.
        mean: Interquartile mean of the members that have a value, float64 ``[points]``.
        low: Lower end of its 95 % interval; NaN with fewer than 3 members.
        high: Upper end.
        seeds: Number of members that have a value, int64 ``[points]``.
    """

    group: Group
    x: NDArray[np.float64]
    members: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    seeds: NDArray[np.int64]


@frozen(kw_only=True)
class Improvement:
    """How probable it is that a member of one group ends above one of another.

    Attributes:
        first: The one group.
        second: The other.
        probability: The probability, with half of that of equal results, and its 95 % interval.
    """

    first: Group
    second: Group
    probability: Band
