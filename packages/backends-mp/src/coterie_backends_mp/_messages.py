"""What the processes tell each other. Free of torch."""

from __future__ import annotations

from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Prepare:
    """Trainer to server: how workers will be started; the first message.

    Attributes:
        fork: Whether workers are forked from the server.
        parent: Process id of the trainer.
    """

    fork: bool
    parent: int


@frozen(kw_only=True)
class Ready:
    """Server to trainer: workers can be started."""


@frozen(kw_only=True)
class Preload:
    """Trainer to server: import these modules, workers will need them.

    Attributes:
        modules: Names of the modules.
    """

    modules: tuple[str, ...]


@frozen(kw_only=True)
class Start:
    """Trainer to server: start a worker.

    Descriptors come with it: the worker's end of its channel, the shared block, and those of
    the signals that it waits for and that it sends.

    Attributes:
        worker: Number of the worker.
        workers: How many there are.
    """

    worker: int
    workers: int


@frozen(kw_only=True)
class Started:
    """Server to trainer: a worker was started.

    Attributes:
        worker: Number of the worker.
        pid: Process id.
    """

    worker: int
    pid: int


@frozen(kw_only=True)
class Kill:
    """Trainer to server: kill a worker and every process that it started, without mercy.

    Attributes:
        worker: Number of the worker.
    """

    worker: int


@frozen(kw_only=True)
class Dump:
    """Trainer to server: where does this worker hang?

    Attributes:
        worker: Number of the worker.
    """

    worker: int


@frozen(kw_only=True)
class Dumped:
    """Server to trainer: the stack of a worker.

    Attributes:
        worker: Number of the worker.
        text: What it was doing; empty if it did not answer.
    """

    worker: int
    text: str


@frozen(kw_only=True)
class Exited:
    """Server to trainer: a worker ended.

    Attributes:
        worker: Number of the worker.
        pid: Process id.
        status: Exit code; minus the signal's number if it was killed by one.
        text: Stack that it left behind when it crashed.
    """

    worker: int
    pid: int
    status: int
    text: str


@frozen(kw_only=True)
class SeatSpec:
    """A member, as a worker gets to know it.

    Attributes:
        index: Position in the population.
        name: Name of the member.
        first: First row of its scope.
        stop: Row after the last of its scope.
        streams: State of its process-wide generators, packed; ``None``: none yet.
        agent: The agent, packed.
        failed: Whether it has failed; what stands for its agent then can't act.
    """

    index: int
    name: str
    first: int
    stop: int
    streams: bytes | None
    agent: bytes
    failed: bool = False


@frozen(kw_only=True)
class Open:
    """Trainer to worker: take these members over; a new run begins.

    Attributes:
        seats: The members of this worker.
        scopes: Number of instances in every slot of the shared block, of all workers.
        interface: The environment's interface, packed; its device is where the block is.
        mode: ``"train"`` or ``"eval"``.
        deterministic: Whether to take the mean action.
        debug: Whether to check actions.
        threads: Number of torch's threads.
        core: The core that the worker shall stay on unless the board says otherwise; ``None``: any.
        ticket: What the worker needs to map the memory of a device, packed; ``None``: what is
            exchanged is in the block, or mapped already.
        inside: Class and configuration of the trainer whose executor runs the members, packed;
            ``None``: they work in turn, and each has a slot of its own.
        place: With ``inside``, the slot that the members share.
    """

    seats: tuple[SeatSpec, ...]
    scopes: tuple[int, ...]
    interface: bytes
    mode: Any
    deterministic: bool
    debug: bool
    threads: int
    core: int | None = None
    ticket: bytes | None = None
    inside: bytes | None = None
    place: int = 0


@frozen(kw_only=True)
class Ask:
    """Trainer to worker: do something with some members, between two steps.

    Attributes:
        what: ``"metrics"``, ``"snapshot"``, ``"handover"``, ``"save"``, ``"restore"`` or
            ``"reconfigure"``.
        argument: By index of the member: what it needs, packed, or ``None``.
    """

    what: str
    argument: dict[int, bytes | None]


@frozen(kw_only=True)
class Refusal:
    """Worker to trainer: a member did not take over a state or settings, and is as it was.

    Attributes:
        settings: Whether it was settings.
        message: Why.
    """

    settings: bool
    message: str


@frozen(kw_only=True)
class FailureReport:
    """An exception in a member's code, as text: it always arrives.

    Attributes:
        index: Position of the member in the population.
        phase: What it was doing.
        timestep: Timestep at which it failed.
        kind: Name of the exception's class.
        message: Its text, cut.
        traceback: Traceback, cut.
        pickled: The exception, where it can be pickled and is small.
    """

    index: int
    phase: str
    timestep: int | None
    kind: str
    message: str
    traceback: str
    pickled: bytes | None


@frozen(kw_only=True)
class Answer:
    """Worker to trainer: what came out, and what failed.

    Attributes:
        results: By index of the member; packed, unless plain values.
        failures: What failed.
        done: Handle of the event that follows what the worker writes to a device; ``None``:
            there is none, or it was told.
        notes: What is to be told of how the members were placed.
    """

    results: dict[int, Any]
    failures: tuple[FailureReport, ...]
    done: bytes | None = None
    notes: str = ""
