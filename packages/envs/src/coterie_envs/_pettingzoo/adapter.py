"""``"pettingzoo:…"`` ids, and environments that the user made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

from coterie import ConfigError, EnvAdapter

from .._checks import check_count, check_device, check_settings
from .._needs import install, need
from .env import PettingZooEnv
from .names import find_maker, list_ids
from .parallel import make


class PettingZooAdapter(EnvAdapter):
    """Makes and wraps environments of PettingZoo."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        vectorization: str = "sync",
        workers: int | None = None,
        use_state: bool = True,
        actors_end_together: bool = False,
        **settings: Any,
    ) -> PettingZooEnv:
        """Make copies of an environment by its id.

        Args:
            env_id: ``"mpe2/simple_spread_v3"``, ``"sisl/pursuit"`` (the newest version), the path
                of a module with a function ``parallel_env`` or ``env``, or ``"module:function"``.
            num_envs: Number of instances, at least 1.
            seed: Seed of the first reset that gives none.
            device: Where the tensors live; the copies compute on the CPU.
            vectorization: ``"sync"``, one copy after the other in this process, or ``"async"``,
                in processes.
            workers: Number of processes; ``None``: as many as there are CPU cores.
            use_state: Whether the environment's ``state()`` is the state that the actors share.
            actors_end_together: Whether it is known that all actors of an instance always end
                in the same step.
            settings: Settings of the environment (``max_cycles``, ``render_mode``, …).

        Raises:
            ConfigError: There is no such id (with the nearest one), a setting is unknown or
                wrong, or a package is missing.
        """
        place, count = check_device(device), check_count(num_envs)
        need("pettingzoo", f"pettingzoo:{env_id}", install("pettingzoo"))
        label = f"pettingzoo:{env_id}"
        maker, module = find_maker(env_id)
        _check_names(maker, module, settings, label)
        return PettingZooEnv(
            [partial(make, maker, label, settings)] * count,
            name=label,
            vectorization=vectorization,
            workers=workers,
            use_state=use_state,
            actors_end_together=actors_end_together,
            seed=seed,
            device=place,
        )

    def wrap(self, env: Any, *, seed: int | None = None, device: str = "cpu") -> PettingZooEnv:
        """Bring environments that the user made to the contract.

        Args:
            env: An environment of the parallel API, or of one that PettingZoo can convert to it
                (AEC); or a function or class that makes one; or a list of these, one for each
                instance, which are stepped in turn. Objects are used themselves, and closed with
                the result. For copies in processes, give functions to :class:`PettingZooEnv`.
            seed: Seed of the first reset that gives none.
            device: Where the tensors live.

        Raises:
            ConfigError: It is none of these, or one object stands in the list twice.
        """
        need("pettingzoo", "wrapping the environment", install("pettingzoo"))
        given = list(env) if isinstance(env, list | tuple) else [env]
        made = [one for one in given if not _is_function(one)]
        if not given or len({id(one) for one in made}) < len(made):
            raise ConfigError(
                "a list of environments needs at least one, and another object for each instance"
            )
        makers = [one if _is_function(one) else partial(_itself, one) for one in given]
        name = f"pettingzoo:{getattr(given[0], '__name__', None) or _title(given[0])}"
        return PettingZooEnv(makers, name=name, seed=seed, device=device)

    def ids(self) -> Sequence[str]:
        """List the ids of the families that are installed (mpe2, SISL, butterfly, Atari)."""
        return list_ids()


def _is_function(env: Any) -> bool:
    return isinstance(env, type) or (callable(env) and not hasattr(env, "step"))


def _title(env: Any) -> str:
    """What an environment calls itself, or its class."""
    metadata = getattr(env, "metadata", None) or {}
    return str(metadata.get("name", type(env).__name__))


def _itself(env: Any) -> Any:
    return env


def _check_names(
    maker: Callable[..., Any], module: ModuleType, settings: dict[str, Any], label: str
) -> None:
    """Refuse settings that the environment does not have, where its functions say so."""
    allowed = _parameters(maker)
    if allowed is None:  # PettingZoo's parallel_env takes what raw_env takes
        allowed = _parameters(getattr(module, "raw_env", None))
    if allowed is not None:
        check_settings(settings, allowed, label)


def _parameters(function: Any) -> list[str] | None:
    """Names of a function's parameters; ``None`` where it takes any, or can't be asked."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return None
    return list(parameters)
