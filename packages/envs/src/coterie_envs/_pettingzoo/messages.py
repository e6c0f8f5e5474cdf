"""What goes between an environment and the processes of its copies. Free of torch."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

from attrs import frozen


@frozen
class Request:
    """What a process is asked to do.

    Attributes:
        method: Name of a method of :class:`~.in_turn.InTurn`.
        arguments: Its arguments.
    """

    method: str
    arguments: tuple[Any, ...] = ()


@frozen
class Answer:
    """What the method returned.

    Attributes:
        value: The value.
    """

    value: Any = None


@frozen
class Failure:
    """What the method raised.

    Attributes:
        summary: Its class and message.
        traceback: The traceback as text.
        pickled: The exception itself; ``None`` where it can't be pickled.
    """

    summary: str
    traceback: str
    pickled: bytes | None


class RemoteTraceback(Exception):
    """The cause of an exception that was raised in another process: its traceback as text."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


def failure_of(error: BaseException) -> Failure:
    """Bring an exception into a form that can be sent."""
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:
        pickled = None
    return Failure(
        f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)), pickled
    )


def error_of(failure: Failure) -> BaseException | None:
    """Bring the exception back; ``None`` where that can't be done here."""
    try:
        error = None if failure.pickled is None else pickle.loads(failure.pickled)
    except Exception:
        return None
    return error if isinstance(error, BaseException) else None
