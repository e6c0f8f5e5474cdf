"""PettingZoo's two interfaces, brought to the parallel one. Free of torch: workers import this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coterie import ConfigError, CoterieError


class Maker:
    """Makes an environment of the parallel API; can be sent to another process.

    Args:
        make: Makes an environment of either interface.
        name: What it is, for messages.
    """

    def __init__(self, make: Callable[[], Any], name: str) -> None:
        self._make, self._name = make, name

    def __call__(self) -> Any:
        return parallel_env(self._make(), self._name)


def parallel_env(env: Any, name: str) -> Any:
    """Return an environment of the parallel API; convert one whose actors act in turn (AEC).

    Args:
        env: The environment.
        name: What it is, for messages.

    Raises:
        ConfigError: It is neither, or PettingZoo can't convert it.
    """
    if hasattr(env, "agent_selection") or hasattr(env, "last"):
        return _converted(env, name)
    wanted = ("reset", "step", "observation_space", "action_space", "close")
    missing = [method for method in wanted if not callable(getattr(env, method, None))]
    if missing:
        raise ConfigError(
            f"{name}: {type(env).__module__}.{type(env).__qualname__} is no environment of "
            f"PettingZoo's parallel API: it has no {missing[0]}()"
        )
    return env


def make(maker: Callable[..., Any], label: str, settings: dict[str, Any]) -> Any:
    """Call a function that makes an environment.

    Raises:
        ConfigError: It refuses its settings.
    """
    try:
        return maker(**settings)
    except CoterieError:
        raise
    except (TypeError, ValueError, AssertionError, KeyError, ImportError) as problem:
        raise ConfigError(
            f"{label} could not be made: {type(problem).__name__}: {problem}"
        ) from problem


def _converted(env: Any, name: str) -> Any:
    from pettingzoo.utils.conversions import aec_to_parallel

    if not getattr(env, "metadata", {}).get("is_parallelizable", False):
        raise ConfigError(
            f"{name}: its actors act one after the other (AEC), and its metadata does not say "
            '"is_parallelizable"; set that, if it changes only at the end of each cycle, or '
            "offer a parallel_env"
        )
    return aec_to_parallel(env)
