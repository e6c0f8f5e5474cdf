"""Exceptions on their way from an island to the trainer."""

from __future__ import annotations

import traceback

from .._errors import CoterieError
from .._transport.packing import pack_small, unpack_small


class IslandLost(CoterieError):
    """The process of an island is gone, or its node.

    The trainer deals with it: it starts the island anew, or fails its members.
    """


def pack_error(error: BaseException, about: str) -> bytes:
    """Pack an exception with where it was raised; what can't be packed becomes text.

    Args:
        error: The exception.
        about: What to call the island.
    """
    text = "".join(traceback.format_exception(error))
    error.add_note(f"on {about}")
    try:
        packed = pack_small(error)
        unpack_small(packed)
    except Exception:
        return pack_small(CoterieError(f"on {about}, {type(error).__name__} was raised:\n\n{text}"))
    return packed


def unpack_error(packed: bytes) -> BaseException:
    """Undo :func:`pack_error`."""
    error = unpack_small(packed)
    assert isinstance(error, BaseException)
    return error
