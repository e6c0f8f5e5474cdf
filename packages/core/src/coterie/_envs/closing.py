"""Closing environments that are done with, and when the program ends: never for ever."""

from __future__ import annotations

import atexit
import signal
import threading
import warnings
import weakref
from types import FrameType
from typing import Any

from .interface import VectorEnv

_SECONDS = 15.0  # adapters that can do better, by killing processes, take 10

_registered: weakref.WeakSet[VectorEnv] = weakref.WeakSet()


class _TookTooLong(BaseException):
    """Breaks off what takes too long; no ``except Exception`` on the way swallows it."""


def close_at_exit(env: VectorEnv) -> None:
    """Close ``env`` on normal program termination; asking again changes nothing."""
    if env in _registered:
        return
    _registered.add(env)
    reference = weakref.ref(env)

    def close() -> None:
        alive = reference()
        if alive is not None and alive in _registered:
            close_environment(alive)

    atexit.register(close)


def close_environment(env: VectorEnv) -> None:
    """Close an environment that is not needed any more, as :func:`close_within` does, in 15 s.

    What was reached with it is worth more than how it goes, so nothing is raised. It is not tried
    again when the program ends.
    """
    _registered.discard(env)
    close_within(env, _SECONDS)


def close_within(env: VectorEnv, seconds: float) -> None:
    """Close an environment; warn if that fails or takes too long.

    Simulators want to be closed by the main thread, so an alarm breaks it off. That needs the main
    thread, a system that has alarms, and a program that has no use of its own for them; otherwise
    nothing bounds it.

    Args:
        env: The environment.
        seconds: After how long it is broken off.
    """
    try:
        _with_alarm(env, seconds) if _alarm_is_free() else env.close()
    except _TookTooLong:
        _warn(env, f"took more than {seconds:g} s and was broken off")
    except Exception as error:
        _warn(env, f"failed with {error!r}")


def _with_alarm(env: VectorEnv, seconds: float) -> None:
    def ring(number: int, frame: FrameType | None) -> None:
        raise _TookTooLong

    previous: Any = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        env.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _alarm_is_free() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )


def _warn(env: VectorEnv, what: str) -> None:
    message = f"closing the environment {env.name} {what}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
