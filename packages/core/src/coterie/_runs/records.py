"""Records of a run: what it is, what was measured, how it ended. Free of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen

from .results import EpisodeResults


@frozen(kw_only=True)
class MemberInfo:
    """A member, as loggers and hooks see it.

    Attributes:
        index: Position in the population.
        name: Name, unique in the population.
        kind: Name of the algorithm.
        seed: Seed.
        scope: First instance and the one after the last.
        device: Device of the agent.
        settings: The agent's settings, as plain values.
    """

    index: int
    name: str
    kind: str
    seed: int
    scope: tuple[int, int]
    device: str
    settings: dict[str, Any]

    @property
    def num_envs(self) -> int:
        """Number of instances in the scope."""
        return self.scope[1] - self.scope[0]


@frozen(kw_only=True)
class RunInfo:
    """One call of ``train()`` or ``eval()``.

    Attributes:
        mode: ``"train"`` or ``"eval"``.
        trainer: Name of the trainer.
        environment: Name of the environment.
        num_envs: Number of instances.
        first_timestep: Where the count of timesteps starts.
        timesteps: Where it ends.
        members: The population.
        directory: Where it is written; ``None``: nowhere.
    """

    mode: Literal["train", "eval"]
    trainer: str
    environment: str
    num_envs: int
    first_timestep: int
    timesteps: int
    members: tuple[MemberInfo, ...]
    directory: Path | None


@frozen(kw_only=True)
class MetricRow:
    """One scalar of one member, or of the whole run, at one time.

    Attributes:
        timestep: Timesteps done.
        env_steps: Environment steps of the member: timesteps times the instances of its scope.
        wall_time: Seconds since the run started.
        member: Name of the member; empty for scalars of the whole run.
        name: Name of the scalar: ``"episode/return"``, ``"loss/policy"`` …, of the whole run
            ``"time/environment"`` …, in microseconds per timestep.
        value: The scalar.
    """

    timestep: int
    env_steps: int
    wall_time: float
    member: str
    name: str
    value: float


@frozen(kw_only=True)
class MemberProgress:
    """How far a member is, when metrics are written.

    Attributes:
        member: The member.
        timestep: Timesteps done.
        env_steps: Environment steps of the member.
        run_seconds: Seconds that the run took.
        episodes: Number of episodes that ended.
        mean_return: Mean return of the last 100 of them; ``None``: none ended.
        mean_length: Their mean length.
        scalars: The newest metrics of the member, by name.
    """

    member: MemberInfo
    timestep: int
    env_steps: int
    run_seconds: float
    episodes: int
    mean_return: float | None
    mean_length: float | None
    scalars: dict[str, float]


@frozen(kw_only=True)
class MemberSummary:
    """How a run ended for one member.

    Attributes:
        name: Name of the member.
        kind: Name of the algorithm.
        seed: Seed.
        status: ``"trained"``, ``"evaluated"``, ``"failed"``, ``"stopped"`` or
            ``"interrupted"``.
        episodes: Number of episodes that ended.
        mean_return: Mean return of the last 100 of them; ``None``: none ended.
        mean_length: Their mean length.
        env_steps: Environment steps of the member.
        steps_per_second: Environment steps of the member per second of the run.
        settings: Settings that are not the default in each member of its kind.
        failure: What happened to a failed member, in one line.
        failed_in: What it was doing then: ``"act"``, ``"post_interaction"`` …
        failed_at: The timestep then; ``None`` before the first.
        stopped: Why a member was stopped before the run ended, in one line.
        evaluation: Of an evaluation over a number of episodes: these, and what they come to.
            ``episodes``, ``mean_return`` and ``mean_length`` then are of all of them.
    """

    name: str
    kind: str
    seed: int
    status: str
    episodes: int
    mean_return: float | None
    mean_length: float | None
    env_steps: int
    steps_per_second: float
    settings: dict[str, Any] = field(factory=dict)
    failure: str | None = None
    failed_in: str | None = None
    failed_at: int | None = None
    stopped: str | None = None
    evaluation: EpisodeResults | None = None


@frozen(kw_only=True)
class Summary:
    """How a run ended: what ``train()`` and ``eval()`` return. Its text is a table.

    Attributes:
        mode: ``"train"`` or ``"eval"``.
        timesteps: Timesteps that were done in this run.
        wall_time: Seconds that they took.
        members: A row per member.
        time_shares: Fraction of the time per part: ``"environment"``, ``"members"``, ``"other"``.
        directory: Where the run was written; ``None``: nowhere.
    """

    mode: str
    timesteps: int
    wall_time: float
    members: tuple[MemberSummary, ...]
    time_shares: dict[str, float] = field(factory=dict)
    directory: Path | None = None

    def __str__(self) -> str:
        from .table import summary_table

        return summary_table(self)
