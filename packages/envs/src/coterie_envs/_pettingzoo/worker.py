"""The process of some copies of an environment. Free of torch, and of all that is the parent's."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any

from .in_turn import InTurn, make_all
from .layout import Layout
from .messages import Answer, Failure, Request, failure_of


def serve(
    pipe: Connection[Any, Any],
    memory: Any,
    layout: Layout,
    makers: bytes,
    first: int,
    num_envs: int,
    name: str,
) -> None:
    """Make copies of an environment and do what the parent asks for, until it closes the pipe.

    Args:
        pipe: To the parent.
        memory: Memory of the arrays, shared with the parent.
        layout: What the copies observe and do.
        makers: A function, pickled, that gives the functions that make the copies.
        first: Row of the first copy.
        num_envs: Number of all instances.
        name: What they are, for messages.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent closes us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        envs = make_all(pickle.loads(makers)())
        copies = InTurn(envs, layout, layout.arrays(num_envs, memory), name, first)
    except Exception as error:
        pipe.send(failure_of(error))
        return
    try:
        pipe.send(Answer())
        while True:
            _answer(pipe, copies, pipe.recv())
    except (EOFError, OSError):  # the parent closed the pipe, or is gone
        pass
    copies.close()


def _answer(pipe: Connection[Any, Any], copies: InTurn, request: Request) -> None:
    reply: Answer | Failure
    try:
        reply = Answer(getattr(copies, request.method)(*request.arguments))
    except Exception as error:
        reply = failure_of(error)
    try:
        pipe.send(reply)
    except OSError:
        raise
    except Exception as error:  # something in the infos can't be pickled
        pipe.send(failure_of(error))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
