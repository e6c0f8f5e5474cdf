"""``"brax:…"`` ids, and environments of Brax that the user made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coterie import ConfigError
from coterie.config import did_you_mean

from .._checks import check_count, check_device
from .._needs import install, installed, need
from .adapter import JaxAdapter
from .limits import check_limits

if TYPE_CHECKING:
    from .env import JaxEnv


class BraxAdapter(JaxAdapter):
    """Makes and wraps Brax's environments."""

    origin = "brax"

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        max_episode_steps: int = 1000,
        action_repeat: int = 1,
        full_reset: bool = True,
        **settings: Any,
    ) -> JaxEnv:
        """Make an environment by its id. The first reset and the first step compile it.

        Args:
            env_id: ``"ant"``, ``"inverted_pendulum"``, …
            num_envs: Number of instances, at least 1.
            seed: Seed of the first reset that gives none.
            device: Where JAX computes and the tensors live.
            max_episode_steps: Steps after which an episode is truncated; -1: never.
            action_repeat: How often the simulator applies an action in one step.
            full_reset: Whether every episode draws its own beginning; ``False``: each begins as
                the instance's first one did.
            settings: Settings of the environment's class: ``backend`` (``"generalized"``,
                ``"spring"``, ``"positional"``, ``"mjx"``) and its own.

        Raises:
            ConfigError: Brax or the device is missing, there is no such id (with the nearest
                one), or a setting is wrong.
        """
        name, count, place = f"brax:{env_id}", check_count(num_envs), check_device(device)
        limit = check_limits(max_episode_steps, action_repeat)
        library = need("brax.envs", name, install("brax"))
        known = self.ids()
        if env_id not in known:
            raise ConfigError(
                f"brax has no environment {env_id!r}{did_you_mean(env_id, known)} "
                f"(it has: {', '.join(known)})"
            )
        from .env import JaxEnv

        try:
            env = library.get_environment(env_id, **settings)
        except (TypeError, ValueError, KeyError) as problem:
            raise ConfigError(
                f"{name} could not be made: {type(problem).__name__}: {problem}"
            ) from problem
        return JaxEnv(
            env,
            count,
            name=name,
            seed=seed,
            device=place,
            max_episode_steps=limit,
            action_repeat=action_repeat,
            full_reset=full_reset,
        )

    def ids(self) -> Sequence[str]:
        """List the ids of Brax's environments, sorted; none where it is not installed."""
        library = installed("brax.envs")
        return () if library is None else sorted(library._envs)
