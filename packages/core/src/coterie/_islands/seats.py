"""Members on their way to an island."""

from __future__ import annotations

import traceback
from types import SimpleNamespace
from typing import Any

from .._errors import WorkerError, WorkerStartError
from .._trainers.members import Member
from .._transport.packing import find_culprit, pack, unpack
from .records import Failure, Seat


class _Absent:
    """What stands for the agent of a member that has failed."""

    def __init__(self, agent: Any) -> None:
        self.seed, self.uses_infos = agent.seed, False


def pack_seat(member: Member, first: int) -> Seat:
    """Pack a member for an island.

    Args:
        member: The member.
        first: First instance of the island.

    Raises:
        WorkerStartError: It can't be packed; the message names the part that can't.
    """
    failed = member.failure is not None
    try:
        agent = pack(_Absent(member.agent) if failed else member.agent)
    except Exception as error:
        raise WorkerStartError(
            f"agent {member.index} ({member.name!r}) can't be sent to an island: "
            f"{find_culprit(member.agent)} can't be pickled ({type(error).__name__}: {error}); "
            "leave it out of the state with __getstate__, or create it in setup()",
            agent_index=member.index,
            agent_name=member.name,
            phase="start",
        ) from error
    return Seat(
        index=member.index,
        name=member.name,
        first=member.scope.start - first,
        stop=member.scope.stop - first,
        agent=agent,
        streams=None if member.streams is None else pack(member.streams),
        status=member.status,
        note=member.note,
    )


def unpack_seat(seat: Seat, place: int, failures: list[Failure]) -> Member:
    """Rebuild a member; one that can't be rebuilt fails.

    Args:
        seat: The member.
        place: Its place on the island.
        failures: Takes up what went wrong.
    """
    who: Any = {"agent_index": seat.index, "agent_name": seat.name, "phase": "load"}
    error: WorkerError | None = None
    try:
        agent = unpack(seat.agent)
    except Exception as caught:
        about = f"agent {seat.index} ({seat.name!r}) could not be rebuilt on its island"
        error = WorkerStartError(
            f"{about}: {type(caught).__name__}: {caught}",
            remote_traceback="".join(traceback.format_exception(caught)),
            **who,
        )
        failures.append(Failure(timestep=None, error=error))
        agent = SimpleNamespace(seed=0, uses_infos=False)
    member = Member(
        index=place,
        name=seat.name,
        agent=agent,
        scope=slice(seat.first, seat.stop),
        status="failed" if error is not None else seat.status,
        failure=error,
        reason=seat.note if seat.status == "stopped" else "",
        streams=None if seat.streams is None else unpack(seat.streams),
    )
    if seat.status == "failed":
        fail(member, seat.note)
    return member


def fail(member: Member, note: str) -> None:
    """Let a member be one that failed before.

    Args:
        member: The member.
        note: What happened to it.
    """
    member.status = "failed"
    member.failure = WorkerStartError(
        note, agent_index=member.index, agent_name=member.name, phase="load"
    )


def renumbered(error: WorkerError, first: int) -> WorkerError:
    """Give an error of a member the member's index in the population.

    Args:
        error: The error, with the index on the island.
        first: Index of the island's first member.
    """
    fields = {name: getattr(error, name) for name in WorkerError.FIELDS}
    there, index = error.agent_index, error.agent_index + first
    text = str(error.args[0]).replace(f"agent {there} (", f"agent {index} (", 1)
    found = type(error)(text, **{**fields, "agent_index": index})
    found.__cause__ = error.__cause__
    return found
