"""``"envpool:…"`` ids, and pools that the user made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gymnasium import spaces

from coterie import ConfigError, EnvAdapter

from .._checks import check_count, check_device, check_settings
from .._gymnasium.names import newest_of, suggest
from .._needs import install, installed, need
from .env import EnvPoolEnv

_OURS = ("base_path", "batch_size", "env_seed", "gym_reset_return_info", "num_envs", "seed")
_DRAWING = (
    "from_pixels",
    "render_camera_id",
    "render_env_id",
    "render_height",
    "render_mode",
    "render_width",
)
_HOW_TO_DRAW = ("_render_mode", "_render_env_id", "_render_width", "_render_height")


class EnvPoolAdapter(EnvAdapter):
    """Makes and wraps pools of EnvPool."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        **settings: Any,
    ) -> EnvPoolEnv:
        """Make a pool by the id of its task.

        Args:
            env_id: ``"Pendulum-v1"``, ``"HalfCheetah"`` (the newest version), ``"Pong-v5"``.
            num_envs: Number of instances, at least 1; every step steps all of them.
            seed: Seed of the first reset that gives none.
            device: Where the tensors live; EnvPool computes on the CPU.
            settings: The task's settings: ``num_threads`` (0: EnvPool's own choice),
                ``max_episode_steps``, ``render_mode``, for Atari ``stack_num``, ``img_height``
                and so on.

        Raises:
            ConfigError: EnvPool is missing, there is no such id (with the nearest one), a
                setting is unknown or wrong, or the task has several players.
        """
        place, count = check_device(device), check_count(num_envs)
        envpool = need("envpool", f"envpool:{env_id}", install("envpool"))
        task = _find(env_id, envpool.list_all_envs())
        name = f"envpool:{task}"
        _check_names(name, settings, envpool.make_spec(task).config._fields)
        with _explained(name):
            spec = envpool.make_spec(task, num_envs=count, **settings)

        def make(seeds: list[int]) -> Any:
            with _explained(name):
                return envpool.make_gymnasium(task, num_envs=count, env_seed=seeds, **settings)

        _check_players(name, spec.config.max_num_players)
        return EnvPoolEnv(
            make,
            name=name,
            num_envs=count,
            observation_space=_space(spec.gymnasium_observation_space),
            action_space=_space(spec.gymnasium_action_space),
            seed=seed,
            device=place,
        )

    def wrap(self, env: Any, *, seed: int | None = None, device: str = "cpu") -> EnvPoolEnv:
        """Bring a pool that the user made to the contract.

        Args:
            env: A pool with gymnasium's interface. It is a pattern: EnvPool fixes seeds when a
                pool is made, so a reset makes another one with its settings.
            seed: Seed of the first reset that gives none; ``None``: the pool's own seeds.
            device: Where the tensors live.

        Raises:
            ConfigError: It has another interface, steps only a part of its instances at a time,
                or has several players.
        """
        place = check_device(device)
        if not hasattr(env, "single_action_space"):
            raise ConfigError(
                f"{type(env).__name__} does not have gymnasium's interface; make it with "
                'envpool.make(..., env_type="gymnasium")'
            )
        config = env.config
        name = f"envpool:{type(env).__name__.removesuffix('GymnasiumEnvPool')}"
        if config["batch_size"] not in (0, config["num_envs"]):
            raise ConfigError(
                f"{name} steps {config['batch_size']} of {config['num_envs']} instances at a "
                "time; make it without batch_size, so that every step steps all of them"
            )
        _check_players(name, config["max_num_players"])
        return EnvPoolEnv(
            lambda seeds: _again(env, seeds),
            name=name,
            num_envs=int(config["num_envs"]),
            observation_space=_space(env.single_observation_space),
            action_space=_space(env.single_action_space),
            seed=int(config["seed"]) % 2**31 if seed is None else seed,
            device=place,
        )

    def ids(self) -> Sequence[str]:
        """List the ids of EnvPool's tasks, sorted; none where EnvPool is not installed."""
        envpool = installed("envpool")
        return () if envpool is None else sorted(envpool.list_all_envs())


def _find(env_id: str, known: Sequence[str]) -> str:
    if env_id in known:
        return env_id
    newest = newest_of(known)
    if env_id in newest:
        return newest[env_id]
    near = suggest(env_id, known)
    hint = f"; did you mean {near!r}?" if near else "; envpool.list_all_envs() lists those it has"
    raise ConfigError(f"envpool has no environment {env_id!r}{hint}")


def _check_names(name: str, settings: Mapping[str, Any], fields: Sequence[str]) -> None:
    if "batch_size" in settings:
        raise ConfigError(
            f"{name}: batch_size can't be set: every step steps all num_envs instances"
        )
    check_settings(settings, {*fields, *_DRAWING} - set(_OURS), name)


def _check_players(name: str, players: int) -> None:
    if players != 1:
        raise ConfigError(f"{name} has up to {players} players; only one player is supported")


def _space(space: Any) -> spaces.Space[Any]:
    """Bring EnvPool's nested plain dicts of spaces to gymnasium's."""
    if isinstance(space, Mapping) and not isinstance(space, spaces.Dict):
        return spaces.Dict({key: _space(part) for key, part in space.items()})
    return space  # type: ignore[no-any-return]


def _again(pool: Any, seeds: list[int]) -> Any:
    """Make another pool like ``pool``, with one seed per instance."""
    config = {**pool.config, "env_seed": seeds}
    named = {key.replace(".", "_"): value for key, value in config.items()}
    spec = type(pool.spec)(type(pool.spec).gen_config(**named))
    made = type(pool)(spec)
    for attribute in _HOW_TO_DRAW:
        if hasattr(pool, attribute):
            setattr(made, attribute, getattr(pool, attribute))
    return made


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what EnvPool raises about its arguments into a ConfigError."""
    try:
        yield
    except (AssertionError, TypeError, ValueError, RuntimeError, ImportError) as problem:
        raise ConfigError(
            f"{name} could not be made: {type(problem).__name__}: {problem}"
        ) from problem
