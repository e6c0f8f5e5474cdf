"""``"isaaclab:…"`` ids, and Isaac Lab environments that the user made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium

from coterie import ConfigError, EnvAdapter
from coterie.config import did_you_mean

from .._checks import check_count
from .._gymnasium.names import suggest
from .._needs import need
from .env import IsaacLabEnv
from .team import IsaacLabTeamEnv

_HOW = "see Isaac Lab's installation guide; it needs Isaac Sim and an NVIDIA GPU"


class IsaacLabAdapter(EnvAdapter):
    """Makes and wraps Isaac Lab's environments, for one agent and for several."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cuda:0",
        launcher: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> IsaacLabEnv | IsaacLabTeamEnv:
        """Make an environment by the id of its task.

        The simulator's application is started if none runs; it lasts as long as the process.

        Args:
            env_id: ``"Isaac-Cartpole-Direct-v0"``.
            num_envs: Number of instances, at least 1.
            seed: Seed of the simulator and of the first reset.
            device: Where the simulator computes and the tensors live.
            launcher: Arguments of ``isaaclab.app.AppLauncher``; default: ``headless``.
            render_mode: ``"rgb_array"`` or ``"human"``.
            settings: What to change in the task's configuration, with dots for what lies deeper
                (``{"sim.dt": 0.01, "episode_length_s": 5.0}``).

        Raises:
            ConfigError: Isaac Lab is missing, there is no such task (with the nearest one), or
                its configuration has no such setting.
        """
        name, count = f"isaaclab:{env_id}", check_count(num_envs)
        app = need("isaaclab.app", name, _HOW)
        app.AppLauncher(**{"headless": True, "device": device, **(launcher or {})})
        need("isaaclab_tasks", name, _HOW)
        parsing = need("isaaclab_tasks.utils", name, _HOW)
        if env_id not in gymnasium.registry:
            near = suggest(env_id, self.ids())
            raise ConfigError(
                f"isaaclab has no task {env_id!r}" + (f"; did you mean {near!r}?" if near else "")
            )
        cfg = parsing.parse_env_cfg(env_id, device=device, num_envs=count)
        cfg.seed = seed
        if hasattr(cfg, "compute_final_obs"):
            cfg.compute_final_obs = True
        for key, value in settings.items():
            _put(cfg, key, value, name)
        env: Any = gymnasium.make(
            env_id, cfg=cfg, render_mode=render_mode, disable_env_checker=True
        )
        return self._wrap(env, name, seed)

    def wrap(
        self, env: Any, *, seed: int | None = None, device: str = "cpu"
    ) -> IsaacLabEnv | IsaacLabTeamEnv:
        """Bring an environment that the user made to the contract.

        Args:
            env: The environment, in gymnasium's wrappers or not.
            seed: Seed of the first reset that gives none.
            device: Not used: tensors stay where the simulator has them.

        Raises:
            ConfigError: It is another object.
        """
        base = getattr(env, "unwrapped", None)
        known = hasattr(base, "single_action_space") or hasattr(base, "possible_agents")
        if not known or not hasattr(base, "cfg"):
            raise ConfigError(
                "expected an environment of Isaac Lab, "
                f"got {type(env).__module__}.{type(env).__qualname__}"
            )
        spec = getattr(env, "spec", None)
        return self._wrap(env, f"isaaclab:{spec.id if spec else type(base).__name__}", seed)

    def _wrap(self, env: Any, name: str, seed: int | None) -> IsaacLabEnv | IsaacLabTeamEnv:
        _refuse_time_limit(env, name)
        if hasattr(env.unwrapped, "possible_agents"):
            return IsaacLabTeamEnv(env, name=name, seed=seed)
        return IsaacLabEnv(env, name=name, seed=seed)

    def ids(self) -> Sequence[str]:
        """List the ids of tasks, sorted; they are known once the simulator runs."""
        return sorted(env_id for env_id in gymnasium.registry if env_id.startswith("Isaac-"))


def _put(cfg: Any, key: str, value: Any, name: str) -> None:
    """Change a setting of a configuration; dots lead into its parts."""
    *parts, last = key.split(".")
    for part in (*parts, last):
        if not hasattr(cfg, part):
            known = sorted(one for one in vars(cfg) if not one.startswith("_"))
            raise ConfigError(
                f"{name}: its configuration has no {key!r}{did_you_mean(part, known)}"
            )
        if part is not last:
            cfg = getattr(cfg, part)
    setattr(cfg, last, value)


def _refuse_time_limit(env: Any, name: str) -> None:
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, gymnasium.wrappers.TimeLimit):
            raise ConfigError(
                f"{name} is in gymnasium's TimeLimit, which counts the steps of all instances as "
                "one and truncates them together; make it without max_episode_steps and set "
                "episode_length_s in its configuration"
            )
        env = env.env
