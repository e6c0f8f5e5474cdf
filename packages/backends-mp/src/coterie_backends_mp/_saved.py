"""What comes of saving a member in its process: it is no failure of its if the disk is full."""

from __future__ import annotations

from collections.abc import Callable

from coterie import CheckpointWriteError, State
from coterie.transport import pack, to_cpu, unpack


def saved(write: Callable[[], State | None]) -> bytes:
    """Write a member, and pack what came of it, for :func:`streams_of`.

    Args:
        write: Writes the file, and returns the state of the random streams.
    """
    try:
        return pack({"streams": to_cpu(write())})
    except CheckpointWriteError as error:
        return pack({"error": str(error), "errno": error.errno})


def streams_of(packed: bytes) -> State | None:
    """Return the state of a member's random streams.

    Raises:
        CheckpointWriteError: Its file could not be written.
    """
    found = unpack(packed)
    if "error" in found:
        failure = CheckpointWriteError(found["error"])
        failure.errno = found["errno"]
        raise failure
    streams: State | None = found["streams"]
    return streams
