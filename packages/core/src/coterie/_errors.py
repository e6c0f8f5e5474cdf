"""Failures have names: every exception that Coterie raises on purpose.

Wrong arguments of plain functions raise built-in exceptions (``TypeError``, ``ValueError``);
what can go wrong in the domain has a class here, under :class:`CoterieError`.
"""

from __future__ import annotations

import signal as signals
from typing import Any


class CoterieError(Exception):
    """Root of every error that Coterie raises on purpose."""


class ConfigError(CoterieError, ValueError):
    """A configuration, an experiment or an argument can't be used.

    Raised before anything starts. The message lists every problem, each with where it is, what
    was got, what is expected and the nearest valid name.
    """


class PluginError(CoterieError):
    """A plugin that was asked for could not be loaded, or broke its contract."""


class PluginNotFound(PluginError):
    """No installed plugin has the name that was asked for."""


class EnvContractError(CoterieError):
    """An environment gave something else than its spaces promise."""


class TrainerStateError(CoterieError):
    """A trainer was asked for something that it can't do in the state that it is in."""


class SharedMemoryError(CoterieError):
    """There is not enough shared memory for the population."""


class WorkerError(CoterieError):
    """The code of a member failed, or the process that it lives in.

    Attributes:
        agent_index: Position of the member in the population.
        agent_name: Name of the member.
        phase: What the member was doing: ``"setup"``, ``"pre_interaction"``, ``"act"``,
            ``"record"``, ``"post_interaction"``, ``"state"`` …
        timestep: Timestep at which it failed; ``None`` before the first.
        pid: Process that it failed in; ``None`` where it was the caller's.
        exitcode: Exit code of a process that ended; otherwise ``None``.
        signal: Name of the signal that ended the process, such as ``"SIGKILL"``; or ``None``.
        remote_traceback: Traceback text of the place where it failed; ``""`` if there is none.
    """

    FIELDS = (
        "agent_index",
        "agent_name",
        "phase",
        "timestep",
        "pid",
        "exitcode",
        "signal",
        "remote_traceback",
    )

    def __init__(
        self,
        message: str,
        *,
        agent_index: int,
        agent_name: str,
        phase: str,
        timestep: int | None = None,
        pid: int | None = None,
        exitcode: int | None = None,
        signal: str | None = None,
        remote_traceback: str = "",
    ) -> None:
        super().__init__(message)
        self.agent_index = agent_index
        self.agent_name = agent_name
        self.phase = phase
        self.timestep = timestep
        self.pid = pid
        self.exitcode = exitcode
        self.signal = signal
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}\n\n{self.remote_traceback}" if self.remote_traceback else message

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: getattr(self, name) for name in self.FIELDS}
        return _rebuild_worker_error, (type(self), str(self.args[0]), state)


def _rebuild_worker_error(
    cls: type[WorkerError], message: str, state: dict[str, Any]
) -> WorkerError:
    return cls(message, **state)


class WorkerRaised(WorkerError):
    """The code of a member raised an exception; ``__cause__`` is the original where it can be."""


class WorkerDied(WorkerError):
    """The process of a member ended without a word."""


class WorkerTimeout(WorkerError):
    """A member did not answer within its time limit."""


class WorkerStartError(WorkerError):
    """The process of a member could not be started."""


class CheckpointError(CoterieError):
    """A file of trained state could not be written or read."""


class CheckpointNotFound(CheckpointError):
    """There is no such file of trained state."""


class CheckpointCorrupt(CheckpointError):
    """A file of trained state is damaged: cut short, or its digest differs."""


class CheckpointUnsafe(CheckpointError):
    """A file of trained state is of a kind that could run code; it was not read."""


class CheckpointVersion(CheckpointError):
    """A file of trained state has a format that this version can't read."""


class CheckpointMismatch(CheckpointError):
    """A file of trained state belongs to another agent or population."""


class CheckpointWriteError(CheckpointError, OSError):
    """A file of trained state could not be written.

    It is an ``OSError`` too: ``errno`` is what the system said, where it said something.
    """

    def __str__(self) -> str:
        return str(self.args[0])  # also where the name of a file is known


class TrainingInterrupted(KeyboardInterrupt, SystemExit):
    """Training was interrupted by a signal, after the timestep was finished and saved.

    A program that does not catch it ends without a traceback and with the exit code that shells
    expect of a signal; Python gives that code to ``KeyboardInterrupt`` itself only, and to
    ``SystemExit``.

    Attributes:
        signal: Name of the signal, ``"SIGINT"`` or ``"SIGTERM"``.
        code: The exit code: 130 or 143.
    """

    def __init__(self, message: str, signal: str = "SIGINT") -> None:
        super().__init__(message)
        self.signal = signal
        self.code = 128 + int(signals.Signals[signal])
