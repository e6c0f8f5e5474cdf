"""``"skrl:…"`` ids, and environments that skrl's ``wrap_env`` wrapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium

from coterie import ConfigError, EnvAdapter, VectorEnv

from .recognise import is_team_wrapper, is_wrapper


class SkrlAdapter(EnvAdapter):
    """Brings environments in skrl's wrappers to the contract."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        faithful: bool = False,
        **settings: Any,
    ) -> VectorEnv:
        """Make one of gymnasium's environments in skrl's wrapper.

        Args:
            env_id: Its id, ``"CartPole-v1"``.
            num_envs: Number of instances, at least 1.
            seed: Seed of the first reset that gives none.
            device: Where the tensors live: skrl's own choice, ``"cpu"`` for gymnasium.
            faithful: See :class:`SkrlEnv`.
            settings: Arguments of :func:`gymnasium.make_vec`.

        Raises:
            ConfigError: There is no such id, or a setting is wrong.
        """
        from skrl.envs.wrappers.torch import wrap_env

        try:
            env = gymnasium.make_vec(env_id, num_envs=num_envs, **settings)
        except (gymnasium.error.Error, TypeError) as error:
            raise ConfigError(f"skrl:{env_id}: {error}") from error
        return wrapped(wrap_env(env, verbose=False), faithful=faithful, seed=seed)

    def wrap(self, env: Any, *, seed: int | None = None, device: str = "cpu") -> VectorEnv:
        """Bring an environment in one of skrl's wrappers to the contract.

        Args:
            env: What skrl's ``wrap_env`` returned, or an object of a class of your own that
                inherits its ``Wrapper`` or ``MultiAgentEnvWrapper``.
            seed: Seed of the first reset that gives none; ``None``: the one of skrl's
                ``set_seed``.
            device: Not used: tensors stay where the wrapper has them.

        Raises:
            ConfigError: It is another object.
        """
        if not is_wrapper(env):
            raise ConfigError(
                f"expected an environment in one of skrl's wrappers, got {type(env).__module__}."
                f"{type(env).__qualname__}; wrap it with skrl.envs.wrappers.torch.wrap_env"
            )
        return wrapped(env, seed=seed)

    def ids(self) -> Sequence[str]:
        """List the ids that gymnasium has registered, sorted."""
        return sorted(gymnasium.registry)


def wrapped(wrapper: Any, *, faithful: bool = False, seed: int | None = None) -> VectorEnv:
    """Bring an environment in one of skrl's wrappers to the contract, for one agent or a team.

    Args:
        wrapper: What skrl's ``wrap_env`` returned.
        faithful: Whether to hand on exactly what skrl's trainers see.
        seed: Seed of the first reset that gives none.
    """
    if is_team_wrapper(wrapper):
        from .team_env import SkrlTeamEnv

        return SkrlTeamEnv(wrapper, faithful=faithful, seed=seed)
    from .env import SkrlEnv

    return SkrlEnv(wrapper, faithful=faithful, seed=seed)
