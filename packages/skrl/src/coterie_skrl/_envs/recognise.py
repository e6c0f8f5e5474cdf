"""Which objects are environments in skrl's wrappers, told by names. Nothing is imported here."""

from __future__ import annotations

from typing import Any


def is_wrapper(env: Any) -> bool:
    """Whether it is an environment in one of skrl's wrappers for torch."""
    return _has_base(env, "Wrapper") or is_team_wrapper(env)


def is_team_wrapper(env: Any) -> bool:
    """Whether it is one of those for several agents."""
    return _has_base(env, "MultiAgentEnvWrapper")


def _has_base(env: Any, name: str) -> bool:
    return any(
        kind.__module__.startswith("skrl.envs.") and kind.__name__ == name
        for kind in type(env).__mro__
    )
