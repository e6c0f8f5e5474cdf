"""Tell a real Ctrl-C from a ``KeyboardInterrupt`` that a plugin raises by itself."""

from __future__ import annotations

import dis
from types import TracebackType

_RAISE = dis.opmap["RAISE_VARARGS"]


def interrupted(error: BaseException, package: str) -> bool:
    """Say whether a real interrupt is behind ``error``.

    A signal is answered between two instructions or inside a call, never by a ``raise``
    statement of the code that it interrupts. So only a ``KeyboardInterrupt`` whose innermost
    frame belongs to ``package`` and stands at a ``raise`` statement is the plugin's own doing;
    every other one counts as real. An interrupt that was turned into another exception on its
    way is found through the exceptions that it is the context of.

    Args:
        error: What was caught while the plugin's code ran.
        package: Top-level package of the plugin.
    """
    todo, seen = [error], set[int]()
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, KeyboardInterrupt) and not _raised_by(current, package):
            return True
        todo += [other for other in (current.__cause__, current.__context__) if other]
    return False


def _raised_by(error: KeyboardInterrupt, package: str) -> bool:
    frame = _innermost(error.__traceback__)
    if frame is None:
        return False
    name = str(frame.tb_frame.f_globals.get("__name__", ""))
    instruction = frame.tb_frame.f_code.co_code[frame.tb_lasti]
    return name.partition(".")[0] == package and instruction == _RAISE


def _innermost(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback
