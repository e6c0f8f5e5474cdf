"""Ids that gymnasium knows, and what to say about those that it does not."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable

import gymnasium
from gymnasium.envs.registration import EnvSpec

from coterie import ConfigError
from coterie.config import nearest

from .._needs import install

_VERSION = re.compile(r"-v(\d+)$")
_REGISTERED_BY = {"ALE": ("ale_py", "atari")}
"""Module that registers a namespace when it is imported, and the extra that installs it."""


def find_spec(env_id: str) -> EnvSpec:
    """Find what gymnasium has registered under an id.

    Args:
        env_id: ``"CartPole-v1"``, ``"CartPole"`` (the newest version), ``"namespace/Name-v0"``
            or ``"module:Name-v0"``, which imports the module first.

    Raises:
        ConfigError: There is no such id; with the nearest one, and what to install or import.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        _import(module, env_id)
    namespace = name.partition("/")[0] if "/" in name else ""
    if namespace in _REGISTERED_BY and name not in gymnasium.registry:
        _import_namespace(namespace, env_id)
    known = gymnasium.registry
    if name not in known:
        name = newest_of(known).get(name, name)
    if name not in known:
        raise ConfigError(_unknown(env_id, name, namespace))
    return known[name]


def _import(module: str, env_id: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"gymnasium:{env_id}: the module {module!r} can't be imported: {error}"
        ) from error


def _import_namespace(namespace: str, env_id: str) -> None:
    module, extra = _REGISTERED_BY[namespace]
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"gymnasium:{env_id} needs {module}, which can't be imported ({error}): "
            f"{install(extra)}"
        ) from error


def _unknown(env_id: str, name: str, namespace: str) -> str:
    near = suggest(name, gymnasium.registry)
    hint = f"; did you mean {near!r}?" if near else ""
    if not near and namespace:
        hint = f"; import the package that registers {namespace!r} by 'gymnasium:MODULE:{name}'"
    elif not near:
        hint = "; gymnasium.pprint_registry() lists those that it has"
    return f"gymnasium has no environment {env_id!r}{hint}"


def suggest(name: str, known: Iterable[str]) -> str | None:
    """Find the id that was most likely meant: another version, or a name that looks alike."""
    newest = newest_of(known)
    bare = _VERSION.sub("", name)
    for spelling in (bare, nearest(bare, newest)):
        if spelling in newest:
            return newest[spelling]
    tails = {key.rpartition("/")[2]: key for key in newest}
    tail = nearest(bare.rpartition("/")[2], tails)
    return newest[tails[tail]] if tail else None


def newest_of(known: Iterable[str]) -> dict[str, str]:
    """Find the newest id of each name, by the name without version."""
    found: dict[str, tuple[int, str]] = {}
    for env_id in known:
        version = _VERSION.search(env_id)
        bare = _VERSION.sub("", env_id)
        number = int(version[1]) if version else -1
        if bare not in found or number > found[bare][0]:
            found[bare] = (number, env_id)
    return {bare: env_id for bare, (_, env_id) in found.items()}
