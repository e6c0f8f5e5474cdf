"""``"playground:…"`` ids, and environments of MuJoCo Playground that the user made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coterie import ConfigError
from coterie.config import did_you_mean

from .._checks import check_count, check_device
from .._needs import install, installed, need
from .adapter import JaxAdapter
from .limits import check_limits

if TYPE_CHECKING:
    import torch

    from .env import JaxEnv


class PlaygroundAdapter(JaxAdapter):
    """Makes and wraps MuJoCo Playground's environments."""

    origin = "playground"

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        max_episode_steps: int | None = None,
        action_repeat: int | None = None,
        full_reset: bool = True,
        **settings: Any,
    ) -> JaxEnv:
        """Make an environment by its id. The first reset and the first step compile it.

        Args:
            env_id: ``"CartpoleBalance"``, ``"Go1JoystickFlatTerrain"``, …
            num_envs: Number of instances, at least 1.
            seed: Seed of the first reset that gives none.
            device: Where JAX computes and the tensors live.
            max_episode_steps: Steps after which an episode is truncated; -1: never; ``None``: as
                the environment's configuration says.
            action_repeat: How often the simulator applies an action in one step; ``None``: as
                the environment's configuration says.
            full_reset: Whether every episode draws its own beginning; ``False``: each begins as
                the instance's first one did.
            settings: What to change in the environment's configuration, with dots or in tables
                for what lies deeper (``impl``, ``ctrl_dt``, ``reward_config.scales``, …).
                Without ``impl``, what the configuration has for MuJoCo Warp is computed by JAX
                where there is no CUDA.

        Raises:
            ConfigError: Playground or the device is missing, there is no such id (with the
                nearest one), or its configuration has no such setting.
        """
        name, count, place = f"playground:{env_id}", check_count(num_envs), check_device(device)
        registry = need("mujoco_playground", name, install("playground")).registry
        if env_id not in registry.ALL_ENVS:
            raise ConfigError(
                f"playground has no environment {env_id!r}{did_you_mean(env_id, registry.ALL_ENVS)}"
            )
        config = registry.get_default_config(env_id)
        changes = _with_implementation(_flat(settings), config, place)
        given = config.get("action_repeat", 1) if action_repeat is None else action_repeat
        steps = config.get("episode_length", 1000)
        whole = -(-steps // given) if max_episode_steps is None else max_episode_steps
        limit = check_limits(whole, given)
        from .env import JaxEnv

        return JaxEnv(
            _load(registry, env_id, changes, name),
            count,
            name=name,
            seed=seed,
            device=place,
            max_episode_steps=limit,
            action_repeat=given,
            full_reset=full_reset,
        )

    def ids(self) -> Sequence[str]:
        """List the ids of Playground's environments, sorted; none where it is not installed."""
        library = installed("mujoco_playground")
        return () if library is None else sorted(library.registry.ALL_ENVS)

    def _episode_length(self, env: Any) -> int:
        return int(getattr(env, "_config", {}).get("episode_length", 1000))


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Bring settings in tables to names with dots."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def _with_implementation(
    changes: dict[str, Any], config: Mapping[str, Any], device: torch.device
) -> dict[str, Any]:
    """Choose the implementation of MuJoCo, unless it is given, that suits the device.

    MuJoCo Warp is made for NVIDIA's GPUs, and most configurations ask for it. Elsewhere MJX takes
    its implementation in JAX when it is left the choice; so do we. Vision needs Warp.
    """
    vision = changes.get("vision", config.get("vision", False))
    if device.type == "cuda" or "impl" in changes or vision or config.get("impl") != "warp":
        return changes
    return {**changes, "impl": "jax"}


def _load(registry: Any, env_id: str, changes: dict[str, Any], name: str) -> Any:
    try:
        return registry.load(env_id, config_overrides=changes)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        known = sorted(registry.get_default_config(env_id).keys())
        raise ConfigError(
            f"{name} could not be made: {type(problem).__name__}: {problem} "
            f"(its configuration has: {', '.join(known)})"
        ) from problem
