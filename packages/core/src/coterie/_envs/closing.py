"""Closing environments when the program ends: each once, whoever used it."""

from __future__ import annotations

import atexit
import weakref

from .interface import VectorEnv

_registered: weakref.WeakSet[VectorEnv] = weakref.WeakSet()


def close_at_exit(env: VectorEnv) -> None:
    """Close ``env`` on normal program termination; asking again changes nothing."""
    if env in _registered:
        return
    _registered.add(env)
    reference = weakref.ref(env)

    def close() -> None:
        alive = reference()
        if alive is not None:
            alive.close()

    atexit.register(close)
