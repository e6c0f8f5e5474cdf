"""What travels between a trainer and its islands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from .._envs.interface import VectorEnv
from .._errors import WorkerError
from .._executors.interface import Mode
from .._trainers.members import Status
from .._types import State


@frozen(kw_only=True)
class Blueprint:
    """What an island is built from.

    Attributes:
        about: What to call it in messages.
        make: Makes the environment, given the number of instances.
        num_envs: Number of instances.
        inside: Name of the trainer whose executor runs the members.
        cfg: Settings of that trainer.
        threads: Threads that torch uses; ``None``: as many as it would.
    """

    about: str
    make: Callable[[int], VectorEnv]
    num_envs: int
    inside: str
    cfg: Any
    threads: int | None = None


@frozen(kw_only=True)
class Seat:
    """A member on its way to an island.

    Attributes:
        index: Its place in the population.
        name: Its name.
        first: First of its instances, counted on the island.
        stop: The one after the last.
        agent: The agent, packed; of one that failed, what stands for it.
        streams: State of its process-wide generators, packed; ``None``: there is none.
        status: Whether it acts.
        note: Why it does not.
    """

    index: int
    name: str
    first: int
    stop: int
    agent: bytes
    streams: bytes | None
    status: Status
    note: str


@frozen(kw_only=True)
class Opening:
    """The members of an island at the start of a run.

    Attributes:
        seats: The members, in order of scope.
        mode: ``"train"`` or ``"eval"``.
    """

    seats: tuple[Seat, ...]
    mode: Mode


@frozen(kw_only=True)
class Start:
    """Where the environment of an island starts: from a reset, or from a state.

    Attributes:
        resets: Whether it is reset.
        seed: Seed of the reset: one per instance, one for all, or ``None``.
        environment: State of the environment, where it is not reset.
        boundary: What the next actions answer, where it is not reset.
    """

    resets: bool
    seed: Any = None
    environment: State | None = None
    boundary: State | None = None


@frozen(kw_only=True)
class Order:
    """A stretch of timesteps to go through.

    Attributes:
        first: The first timestep.
        stop: The one after the last.
        timesteps: Where the count of the run's timesteps ends.
        cut: Whether it follows a reset, which cut what agents recorded before.
        metrics: Numbers of timesteps done at which metrics are taken.
        keep: Whether the state at the end is handed over.
    """

    first: int
    stop: int
    timesteps: int
    cut: bool
    metrics: frozenset[int]
    keep: bool


@frozen(kw_only=True)
class Failure:
    """A member that failed on an island.

    Attributes:
        timestep: Timestep of the environment after which it did not act any more; ``None``:
            before the first.
        error: What happened.
    """

    timestep: int | None
    error: WorkerError


@frozen(kw_only=True, eq=False)
class Stretch:
    """What became of an :class:`Order`.

    Attributes:
        first: The first timestep.
        steps: How many timesteps were done.
        outcome: ``"rewards"``, ``"terminated"``, ``"truncated"`` and, where they are needed,
            ``"valid"`` and ``"ended"``: arrays ``[steps, n]``, or dicts by actor of such.
        metrics: By number of timesteps done, scalars by the member's index.
        failures: Members that failed.
        error: What the environment raised in the step that is missing, packed; or ``None``.
        kept: State at the end, packed; ``None``: it was not asked for.
        exact: Whether the environment's state is a part of it.
        environment: Seconds that the environment took.
        members: Seconds that the members took.
        waited: Seconds that the island had nothing to do before.
    """

    first: int
    steps: int
    outcome: Mapping[str, Any]
    metrics: Mapping[int, Mapping[int, Mapping[str, float]]]
    failures: tuple[Failure, ...]
    error: bytes | None
    kept: bytes | None
    exact: bool
    environment: float
    members: float
    waited: float

    @property
    def stop(self) -> int:
        """The timestep after the last that was done."""
        return self.first + self.steps


@frozen(kw_only=True, eq=False)
class Answer:
    """What an island answers to a call.

    Attributes:
        value: What it returned.
        error: What it raised, packed; ``None``: nothing.
    """

    value: Any = None
    error: bytes | None = field(default=None)
