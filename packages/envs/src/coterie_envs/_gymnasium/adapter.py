"""``"gymnasium:…"`` ids, and environments that the user made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium import vector
from gymnasium.vector import AutoresetMode

from coterie import ConfigError, EnvAdapter

from .._checks import check_count, check_device
from .env import GymnasiumEnv
from .keep import KeepFinal, keep_final_observations
from .making import Request, make_vector_env
from .names import find_spec
from .wrappers import INSTANCE, VECTOR, find_wrappers


class GymnasiumAdapter(EnvAdapter):
    """Makes and wraps gymnasium's environments."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        vectorization: str | None = None,
        autoreset_mode: str | AutoresetMode | None = None,
        vector_kwargs: Mapping[str, Any] | None = None,
        wrappers: Sequence[str | Mapping[str, Any] | Callable[..., Any]] = (),
        vector_wrappers: Sequence[str | Mapping[str, Any] | Callable[..., Any]] = (),
        **settings: Any,
    ) -> GymnasiumEnv:
        """Make an environment by its id.

        Args:
            env_id: ``"CartPole-v1"``, ``"CartPole"`` (the newest version), ``"ALE/Pong-v5"`` or
                ``"module:Name-v0"``, which imports the module first.
            num_envs: Number of instances, at least 1.
            seed: Seed of the first reset that gives none.
            device: Where the tensors live; the environment itself computes on the CPU.
            vectorization: ``"vector_entry_point"``, the environment's own fast vectorisation,
                whose instances share one random stream; ``"sync"``, one instance after the other
                in this process; ``"async"``, a process per instance; ``None``: the first where
                there is one, else the second.
            autoreset_mode: ``"same_step"``, ``"next_step"`` or ``"disabled"``; ``None``:
                ``"same_step"``, which wastes no step, or what the environment's own
                vectorisation does.
            vector_kwargs: Settings of :class:`gymnasium.vector.SyncVectorEnv` or
                :class:`~gymnasium.vector.AsyncVectorEnv`.
            wrappers: What wraps each instance, first to last: names of gymnasium's wrappers
                (``"FlattenObservation"``), ``"module:Name"`` for those of others, tables with
                ``"name"`` and the wrapper's settings, or functions.
            vector_wrappers: The same for the whole vector environment, from
                :mod:`gymnasium.wrappers.vector`.
            settings: Settings of the environment (``render_mode``, ``max_episode_steps``, …).

        Raises:
            ConfigError: There is no such id (with the nearest one), a setting is unknown or
                wrong, or a package is missing.
        """
        place = check_device(device)
        request = Request(
            spec=find_spec(env_id),
            num_envs=check_count(num_envs),
            vectorization=vectorization,
            autoreset_mode=autoreset_mode,
            vector_kwargs=vector_kwargs or {},
            wrappers=find_wrappers(wrappers, "wrappers", INSTANCE),
            vector_wrappers=find_wrappers(vector_wrappers, "vector_wrappers", VECTOR),
            settings=settings,
        )
        env = make_vector_env(request)
        try:
            return GymnasiumEnv(env, name=request.label, seed=seed, device=place)
        except ConfigError:
            env.close()
            raise

    def wrap(self, env: Any, *, seed: int | None = None, device: str = "cpu") -> GymnasiumEnv:
        """Bring a gymnasium environment that the user made to the contract.

        Args:
            env: A :class:`gymnasium.Env`, which becomes one instance with same-step autoreset,
                or a :class:`gymnasium.vector.VectorEnv`, whose autoreset mode is read from its
                ``metadata``. The object itself is used, and closed with the result. With
                same-step autoreset, the instances of a :class:`gymnasium.vector.SyncVectorEnv`
                get a wrapper that keeps their final observations from being overwritten.
            seed: Seed of the first reset that gives none.
            device: Where the tensors live.

        Raises:
            ConfigError: It is neither, or does not say how it resets.
        """
        place = check_device(device)
        if isinstance(env, gymnasium.Env):
            vectorised: Any = _single(env)
        elif isinstance(env, vector.VectorEnv):
            vectorised = env
            keep_final_observations(env)
        else:
            raise ConfigError(
                "expected a gymnasium.Env or a gymnasium.vector.VectorEnv, "
                f"got {type(env).__module__}.{type(env).__qualname__}"
            )
        return GymnasiumEnv(vectorised, name=_name(env), seed=seed, device=place)

    def ids(self) -> Sequence[str]:
        """List the ids that gymnasium has registered, sorted."""
        return sorted(gymnasium.registry)


def _single(env: gymnasium.Env[Any, Any]) -> vector.SyncVectorEnv[Any, Any]:
    count = getattr(env.unwrapped, "num_envs", 1)
    if count != 1:
        raise ConfigError(
            f"{type(env.unwrapped).__name__} is a gymnasium.Env that says it has {count} "
            "instances; only a gymnasium.vector.VectorEnv can have several"
        )
    return vector.SyncVectorEnv([lambda: KeepFinal(env)], autoreset_mode=AutoresetMode.SAME_STEP)


def _name(env: Any) -> str:
    instances = getattr(env.unwrapped, "envs", None)
    spec = env.spec or (instances[0].spec if instances else None)
    return f"gymnasium:{spec.id if spec else type(env.unwrapped).__name__}"
