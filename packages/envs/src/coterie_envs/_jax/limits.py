"""Checks that need no JAX."""

from __future__ import annotations

from typing import Any

from coterie import ConfigError

_FOR_TRAINING = {
    "AutoResetWrapper",
    "BraxAutoResetWrapper",
    "BraxDomainRandomizationVmapWrapper",
    "DomainRandomizationVmapWrapper",
    "EpisodeWrapper",
    "EvalWrapper",
    "VmapWrapper",
}


def check_limits(max_episode_steps: object, action_repeat: object) -> int | None:
    """Return the number of steps of an episode; ``None``: without a limit.

    Raises:
        ConfigError: One is no integer of at least 1 (or -1 for episodes without a limit).
    """
    for name, value in (("max_episode_steps", max_episode_steps), ("action_repeat", action_repeat)):
        endless = name == "max_episode_steps" and value == -1
        if isinstance(value, bool) or not isinstance(value, int) or (value < 1 and not endless):
            more = ", or -1 for episodes without a limit" if name == "max_episode_steps" else ""
            raise ConfigError(f"{name} = {value!r}: expected an integer of at least 1{more}")
    assert isinstance(max_episode_steps, int)
    return None if max_episode_steps == -1 else max_episode_steps


def refuse_wrappers(env: Any) -> None:
    """Refuse what does already what :class:`~coterie_envs.JaxEnv` does.

    Raises:
        ConfigError: The environment is in a wrapper for training, or is none.
    """
    inner = env
    while inner is not None:
        name = type(inner).__name__
        if name in _FOR_TRAINING:
            raise ConfigError(
                f"{name} vectorises, limits or resets episodes, which is done here without losing "
                "where they ended; give the environment without it"
            )
        inner = vars(inner).get("env") if hasattr(inner, "__dict__") else None
    if not all(hasattr(env, part) for part in ("reset", "step", "action_size")):
        raise ConfigError(
            "expected an environment with reset, step and action_size, "
            f"got {type(env).__module__}.{type(env).__qualname__}"
        )
