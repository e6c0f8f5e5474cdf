"""From what happened in a worker to the error that the user sees."""

from __future__ import annotations

import signal

from coterie import Member, WorkerDied, WorkerError, WorkerRaised, WorkerStartError, WorkerTimeout

from ._messages import Exited, FailureReport
from ._reports import original

_HINTS = {
    "SIGKILL": "often the kernel out-of-memory killer",
    "SIGBUS": "often memory that could not be had, such as a full /dev/shm",
}


def raised(member: Member, report: FailureReport, pid: int) -> WorkerError:
    """Compose the error for an exception in a member's code.

    Args:
        member: The member.
        report: What was raised, and where.
        pid: Process that it was raised in.
    """
    kind: type[WorkerError] = WorkerRaised
    verb = f"raised {report.kind} in {report.phase}{_at(report.timestep)}"
    if report.phase in ("start", "load"):
        kind, verb = WorkerStartError, f"could not be rebuilt in its process: {report.kind}"
    error = kind(
        f"agent {member.index} ({member.name!r}) {verb}: {report.message}",
        agent_index=member.index,
        agent_name=member.name,
        phase=report.phase,
        timestep=report.timestep,
        pid=pid,
        remote_traceback=report.traceback,
    )
    error.__cause__ = original(report.pickled)
    return error


def died(
    member: Member, exited: Exited, phase: str, timestep: int | None, culprit: Member | None
) -> WorkerDied:
    """Compose the error for a process that ended.

    Args:
        member: A member that lived in it.
        exited: How it ended.
        phase: What the process was doing.
        timestep: Timestep at which it ended.
        culprit: The member whose turn it was; ``None``: nobody's.
    """
    name = _signal_name(exited.status)
    shared = culprit is not None and culprit is not member
    about = f" in the process that it shared with {_label(culprit)}, which was" if shared else ""
    return WorkerDied(
        f"{_label(member)} died{about} in {phase}{_at(timestep)}: {_how(exited.status, name)}",
        agent_index=member.index,
        agent_name=member.name,
        phase=phase,
        timestep=timestep,
        pid=exited.pid,
        exitcode=exited.status if exited.status >= 0 else None,
        signal=name,
        remote_traceback=exited.text,
    )


def timed_out(
    member: Member,
    pid: int,
    phase: str,
    timestep: int | None,
    culprit: Member | None,
    seconds: float,
    stack: str,
) -> WorkerTimeout:
    """Compose the error for a process that did not answer in time.

    Args:
        member: A member that lived in it.
        pid: The process.
        phase: What the process was doing.
        timestep: The timestep that it was at.
        culprit: The member whose turn it was; ``None``: nobody's.
        seconds: How long it was waited for.
        stack: Where it hung; empty if it did not tell.
    """
    shared = culprit is not None and culprit is not member
    about = f" because of {_label(culprit)}, with which it shared a process," if shared else ""
    return WorkerTimeout(
        f"{_label(member)} did not answer{about} within {seconds:g} s, in {phase}{_at(timestep)}; "
        "its process was killed",
        agent_index=member.index,
        agent_name=member.name,
        phase=phase,
        timestep=timestep,
        pid=pid,
        signal="SIGKILL",
        remote_traceback=stack,
    )


def not_started(member: Member, reason: str, phase: str = "start") -> WorkerStartError:
    """Compose the error for a member whose process could not be started.

    Args:
        member: The member.
        reason: A sentence that goes after the member's name.
        phase: What was tried.
    """
    return WorkerStartError(
        f"{_label(member)} {reason}",
        agent_index=member.index,
        agent_name=member.name,
        phase=phase,
    )


def _label(member: Member | None) -> str:
    return "nobody" if member is None else f"agent {member.index} ({member.name!r})"


def _at(timestep: int | None) -> str:
    return "" if timestep is None else f" at step {timestep}"


def _signal_name(status: int) -> str | None:
    if status >= 0:
        return None
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _how(status: int, name: str | None) -> str:
    if name is None:
        return f"its process ended with exit code {status}"
    hint = f" ({_HINTS[name]})" if name in _HINTS else ""
    return f"killed by {name}{hint}"
