"""Exceptions in a member's code as text, which always arrives."""

from __future__ import annotations

import traceback

from coterie import WorkerRaised
from coterie.transport import pack_small, unpack_small

from ._messages import FailureReport

LIMIT = 16_000


def report(index: int, phase: str, timestep: int | None, error: BaseException) -> FailureReport:
    """Describe an exception, whatever it is, in at most 48 kB.

    Args:
        index: Position of the member in the population.
        phase: What it was doing.
        timestep: Timestep at which it failed.
        error: What was raised.
    """
    cause = error.__cause__ if isinstance(error, WorkerRaised) and error.__cause__ else error
    return FailureReport(
        index=index,
        phase=error.phase if isinstance(error, WorkerRaised) else phase,
        timestep=timestep,
        kind=type(cause).__name__,
        message=cut(_text(cause)),
        traceback=cut(_traceback(cause)),
        pickled=_pickled(cause),
    )


def cut(text: str) -> str:
    """Cut the middle out of a text that is too long for a message, and say so."""
    if len(text) <= LIMIT:
        return text
    note = f"\n[{len(text) - LIMIT:,} characters left out]\n"
    return text[: LIMIT // 2] + note + text[-LIMIT // 2 :]


def original(pickled: bytes | None) -> BaseException | None:
    """Rebuild the exception of a report, where that works."""
    if pickled is None:
        return None
    try:
        error = unpack_small(pickled)
    except Exception:
        return None
    return error if isinstance(error, BaseException) else None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text can't be made)"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return "".join(traceback.format_tb(error.__traceback__))


def _pickled(error: BaseException) -> bytes | None:
    try:
        data = pack_small(error)
    except Exception:
        return None
    return data if len(data) <= LIMIT else None
