"""``"maniskill:…"`` ids, and ManiSkill environments that the user made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium

from coterie import ConfigError, EnvAdapter

from .._checks import check_count, check_device
from .._gymnasium.names import suggest
from .._needs import install, installed, need
from .env import ManiSkillEnv


class ManiSkillAdapter(EnvAdapter):
    """Makes and wraps ManiSkill's environments."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        auto_reset: bool = True,
        ignore_terminations: bool = False,
        record_metrics: bool = True,
        **settings: Any,
    ) -> ManiSkillEnv:
        """Make an environment by its id.

        Args:
            env_id: ``"PickCube-v1"``.
            num_envs: Number of instances, at least 1; several need a GPU.
            seed: Seed of the first reset that gives none.
            device: Where the simulator computes; on ``"cpu"`` it has one instance.
            auto_reset: Whether the step that ends an episode resets it too.
            ignore_terminations: Whether success and failure do not end an episode.
            record_metrics: Whether to tell returns, lengths and successes of episodes.
            settings: Settings of ``gymnasium.make`` for it: ``obs_mode`` (default ``"state"``),
                ``control_mode``, ``reward_mode``, ``max_episode_steps``, ``render_mode``, …

        Raises:
            ConfigError: ManiSkill is missing, there is no such id (with the nearest one), or
                ManiSkill refuses a setting.
        """
        name, count = f"maniskill:{env_id}", check_count(num_envs)
        place = check_device(device)
        need("mani_skill.envs", name, install("maniskill"))
        if env_id not in gymnasium.registry:
            near = suggest(env_id, self.ids())
            hint = f"; did you mean {near!r}?" if near else ""
            raise ConfigError(f"maniskill has no environment {env_id!r}{hint}")
        settings.setdefault("obs_mode", "state")
        settings.setdefault("sim_backend", "cpu" if place.type == "cpu" else f"physx_{place}")
        with _explained(name):
            bare: Any = gymnasium.make(env_id, num_envs=count, disable_env_checker=True, **settings)
            env = _vectorised(
                bare,
                auto_reset=auto_reset,
                ignore_terminations=ignore_terminations,
                record_metrics=record_metrics,
            )
        return ManiSkillEnv(env, name=name, seed=seed)

    def wrap(self, env: Any, *, seed: int | None = None, device: str = "cpu") -> ManiSkillEnv:
        """Bring an environment that the user made to the contract.

        Args:
            env: A ``ManiSkillVectorEnv``, or a batched environment, which is put into one.
            seed: Seed of the first reset that gives none.
            device: Not used: tensors stay where the simulator has them.

        Raises:
            ConfigError: It is another object.
        """
        if not hasattr(env, "auto_reset"):
            if not hasattr(getattr(env, "unwrapped", None), "num_envs"):
                raise ConfigError(
                    "expected an environment of ManiSkill, "
                    f"got {type(env).__module__}.{type(env).__qualname__}"
                )
            env = _vectorised(env)
        spec = getattr(env, "spec", None)
        name = spec.id if spec else type(env.unwrapped).__name__
        return ManiSkillEnv(env, name=f"maniskill:{name}", seed=seed)

    def ids(self) -> Sequence[str]:
        """List the ids of ManiSkill's environments, sorted; none where it is not installed."""
        if installed("mani_skill.envs") is None:
            return ()
        return sorted(
            env_id
            for env_id, spec in gymnasium.registry.items()
            if "mani_skill" in str(spec.entry_point) or "mani_skill" in str(spec.kwargs)
        )


def _vectorised(env: Any, **settings: Any) -> Any:
    module = need(
        "mani_skill.vector.wrappers.gymnasium", "ManiSkillVectorEnv", install("maniskill")
    )
    return module.ManiSkillVectorEnv(env, **settings)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what ManiSkill raises about its arguments into a ConfigError."""
    try:
        yield
    except ConfigError:
        raise
    except (TypeError, ValueError, KeyError, AssertionError, gymnasium.error.Error) as problem:
        raise ConfigError(
            f"{name} could not be made: {type(problem).__name__}: {problem}"
        ) from problem
