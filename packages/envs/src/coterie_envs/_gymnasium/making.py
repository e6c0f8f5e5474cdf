"""Making a vector environment, with errors that say what was wrong with the settings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium
from attrs import frozen
from gymnasium import error, vector
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode

from coterie import ConfigError
from coterie.config import did_you_mean

from .._checks import check_settings
from .._needs import install
from .keep import KeepFinal

MODES = ("async", "sync", "vector_entry_point")
_OWN = ("autoreset_mode", "vector_kwargs", "vector_wrappers", "vectorization", "wrappers")
_EXTRA_OF = {"flax": "jax", "jax": "jax", "jaxlib": "jax"}
_EXTRAS = ("atari", "box2d", "classic-control", "jax", "mujoco", "toy-text")
_EXTRA = re.compile(r"gymnasium\[([\w-]+)\]")


@frozen(kw_only=True)
class Request:
    """What is to be made.

    Attributes:
        spec: What gymnasium has registered.
        num_envs: Number of instances.
        vectorization: One of :data:`MODES`; ``None``: as :func:`gymnasium.make_vec` chooses.
        autoreset_mode: A mode or its name; ``None``: ``SAME_STEP``, or the environment's own.
        vector_kwargs: Settings of gymnasium's sync or async vector environment.
        wrappers: Functions that wrap each instance.
        vector_wrappers: Functions that wrap the whole vector environment.
        settings: Settings of the environment.
    """

    spec: EnvSpec
    num_envs: int
    vectorization: str | None
    autoreset_mode: str | AutoresetMode | None
    vector_kwargs: Mapping[str, Any]
    wrappers: Sequence[Callable[..., Any]]
    vector_wrappers: Sequence[Callable[..., Any]]
    settings: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Its name, for messages."""
        return f"gymnasium:{self.spec.id}"


def make_vector_env(request: Request) -> vector.VectorEnv[Any, Any, Any]:
    """Make a vector environment.

    Raises:
        ConfigError: A setting is wrong or unknown, or a package is missing.
    """
    mode = _vectorization(request)
    with _explained(request):
        _check_names(request, mode)
        fast = mode == "vector_entry_point"
        env = _by_entry_point(request) if fast else _of_instances(request, mode)
        return _wrapped(env, request)


def _wrapped(
    env: vector.VectorEnv[Any, Any, Any], request: Request
) -> vector.VectorEnv[Any, Any, Any]:
    try:
        for wrap in request.vector_wrappers:
            env = wrap(env)
    except BaseException:
        env.close()
        raise
    return env


def _vectorization(request: Request) -> str:
    fast = request.spec.vector_entry_point is not None
    if request.vectorization is None:
        return "vector_entry_point" if fast else "sync"
    mode = str(getattr(request.vectorization, "value", request.vectorization))
    if mode not in MODES:
        raise ConfigError(
            f"vectorization = {mode!r}: expected one of {', '.join(map(repr, MODES))}"
            f"{did_you_mean(mode, MODES)}"
        )
    if mode == "vector_entry_point" and not fast:
        raise ConfigError(
            f"{request.label} has no vector_entry_point; use vectorization='sync' or 'async'"
        )
    return mode


def parse_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    """Find an autoreset mode by any spelling of its name.

    Raises:
        ConfigError: There is no such mode.
    """
    if isinstance(mode, AutoresetMode):
        return mode
    spelled = str(mode).replace("_", "").replace("-", "").lower()
    for known in AutoresetMode:
        if known.value.replace("_", "").lower() == spelled:
            return known
    names = [known.name.lower() for known in AutoresetMode]
    raise ConfigError(
        f"autoreset_mode = {mode!r}: expected one of {', '.join(map(repr, names))}"
        f"{did_you_mean(str(mode), names)}"
    )


def _by_entry_point(request: Request) -> vector.VectorEnv[Any, Any, Any]:
    for name, value in (("vector_kwargs", request.vector_kwargs), ("wrappers", request.wrappers)):
        if value:
            raise ConfigError(
                f"{request.label}: {name} needs vectorization='sync' or 'async'; the environment's "
                "own vectorisation takes none"
            )
    env = gymnasium.make_vec(
        request.spec, request.num_envs, "vector_entry_point", **request.settings
    )
    own = env.metadata.get("autoreset_mode")
    if request.autoreset_mode is None or parse_autoreset_mode(request.autoreset_mode) == own:
        return env
    env.close()
    raise ConfigError(
        f"autoreset_mode = {request.autoreset_mode!r}: the environment's own vectorisation of "
        f"{request.label} has {getattr(own, 'name', own)}; use vectorization='sync' for another"
    )


def _of_instances(request: Request, mode: str) -> vector.VectorEnv[Any, Any, Any]:
    kwargs = dict(request.vector_kwargs)
    chosen = request.autoreset_mode or kwargs.pop("autoreset_mode", AutoresetMode.SAME_STEP)
    autoreset = parse_autoreset_mode(chosen)
    kwargs["autoreset_mode"] = autoreset
    wrappers = list(request.wrappers)
    if autoreset is AutoresetMode.SAME_STEP:
        wrappers.append(KeepFinal)
    return gymnasium.make_vec(
        request.spec,
        request.num_envs,
        mode,
        vector_kwargs=kwargs,
        wrappers=wrappers,
        **request.settings,
    )


def _check_names(request: Request, mode: str) -> None:
    """Refuse settings that the environment's constructor does not have, where it says so."""
    fast = mode == "vector_entry_point"
    entry = request.spec.vector_entry_point if fast else request.spec.entry_point
    creator: Any = entry if callable(entry) else load_env_creator(str(entry))
    try:
        parameters = inspect.signature(creator).parameters
    except (TypeError, ValueError):
        return
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    allowed = {*parameters, *_OWN}
    allowed |= set() if fast else {"max_episode_steps", "disable_env_checker"}
    check_settings(request.settings, allowed - {"num_envs"}, request.label)


@contextmanager
def _explained(request: Request) -> Iterator[None]:
    """Turn what gymnasium and constructors raise about their arguments into a ConfigError."""
    try:
        yield
    except ConfigError:
        raise
    except (error.DependencyNotInstalled, ImportError) as problem:
        raise ConfigError(f"{request.label}: {problem}{_how_to_install(problem)}") from problem
    except (error.Error, TypeError, ValueError, KeyError, AssertionError) as problem:
        raise ConfigError(
            f"{request.label} could not be made: {type(problem).__name__}: {problem}"
        ) from problem


def _how_to_install(problem: BaseException) -> str:
    named = _EXTRA.search(str(problem))
    extra = named[1] if named else _EXTRA_OF.get(getattr(problem, "name", None) or "")
    extra = extra.replace("_", "-") if extra else ""
    return f"; with Coterie: {install(extra)}" if extra in _EXTRAS else ""
