"""Closing a vector environment in bounded time."""

from __future__ import annotations

import threading
import warnings
from typing import Any

from gymnasium.vector import AsyncVectorEnv, VectorEnv

CLOSE_SECONDS = 10.0


def close_vector_env(env: VectorEnv[Any, Any, Any], name: str) -> None:
    """Close ``env``; afterwards none of its worker processes is left.

    Environments in worker processes get :data:`CLOSE_SECONDS` to end by themselves: one that
    hangs, was stopped or killed would otherwise be waited for without end.
    """
    base = env.unwrapped
    if not isinstance(base, AsyncVectorEnv):
        env.close()
        return
    try:
        trouble = _close_within(env, CLOSE_SECONDS)
    except BaseException:  # somebody does not want to wait so long
        _kill(base)
        raise
    if trouble:
        _kill(base)
        warnings.warn(f"{name}: {trouble}; its processes were killed", RuntimeWarning, stacklevel=3)
        return
    codes = [process.exitcode for process in base.processes if process.exitcode]
    if codes:
        text = f"{name}: a process ended with exit code {codes[0]}"
        warnings.warn(text, RuntimeWarning, stacklevel=3)


def _close_within(env: VectorEnv[Any, Any, Any], seconds: float) -> str | None:
    """Close ``env`` in a thread; return what went wrong, or ``None``."""
    errors: list[BaseException] = []

    def close() -> None:
        try:
            env.close()
        except BaseException as error:  # reported by the caller
            errors.append(error)

    thread = threading.Thread(target=close, daemon=True, name="close-environment")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return f"closing took more than {seconds:g} s"
    return f"closing failed with {errors[0]!r}" if errors else None


def _kill(base: AsyncVectorEnv[Any, Any]) -> None:
    for process in base.processes:
        process.kill()
    for process in base.processes:
        process.join(1.0)
    for pipe in base.parent_pipes:
        if pipe is not None:
            pipe.close()
    base.closed = True
