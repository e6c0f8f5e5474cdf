"""Wrappers that are given by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import gymnasium
from gymnasium import vector

from coterie import ConfigError
from coterie.config import did_you_mean

INSTANCE = "gymnasium.wrappers", gymnasium.Wrapper
"""Where wrappers of one instance come from, and what they are."""

VECTOR = "gymnasium.wrappers.vector", vector.VectorWrapper
"""Where wrappers of a whole vector environment come from, and what they are."""


def find_wrappers(given: Any, what: str, home: tuple[str, type[Any]]) -> list[Callable[..., Any]]:
    """Turn what was given as wrappers into functions of an environment.

    Args:
        given: For each wrapper, first to last: a function, a name (``"FlattenObservation"``, or
            ``"module:Name"`` for those of others), or a mapping with ``"name"`` and the
            wrapper's settings.
        what: What the setting is called, for messages.
        home: :data:`INSTANCE` or :data:`VECTOR`.

    Raises:
        ConfigError: It is no list, or an entry is none of these, or there is no such wrapper.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise ConfigError(
            f"{what} = {given!r}: expected a list of names, of tables with 'name' and settings, "
            "or of functions"
        )
    return [_find(one, f"{what}[{place}]", home) for place, one in enumerate(given)]


def _find(given: Any, what: str, home: tuple[str, type[Any]]) -> Callable[..., Any]:
    if callable(given):
        return given  # type: ignore[no-any-return]
    if isinstance(given, str):
        return _named(given, what, home)
    if isinstance(given, Mapping) and isinstance(given.get("name"), str):
        # Files and the command line know lists only, where wrappers insist on tuples.
        settings = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in given.items()
            if key != "name"
        }
        return partial(_named(given["name"], what, home), **settings)
    raise ConfigError(
        f"{what} = {given!r}: expected a name, a table with 'name' and settings, or a function"
    )


def _named(name: str, what: str, home: tuple[str, type[Any]]) -> Callable[..., Any]:
    module, _, attribute = name.rpartition(":")
    module, base = module or home[0], home[1]
    try:
        source = import_module(module)
    except ImportError as error:
        raise ConfigError(f"{what}: the module {module!r} can't be imported: {error}") from error
    try:
        found = getattr(source, attribute, None)
    except ImportError as error:  # gymnasium loads those that need jax or torch when asked for
        raise ConfigError(f"{what}: {name!r} can't be imported: {error}") from error
    if isinstance(found, type) and issubclass(found, base):
        return found
    if callable(found) and not isinstance(found, type):
        return found  # type: ignore[no-any-return]
    known = [key for key in getattr(source, "__all__", dir(source)) if key[:1].isupper()]
    raise ConfigError(
        f"{what}: {module} has no wrapper {attribute!r}{did_you_mean(attribute, known)}; "
        "those of other packages are named 'module:Name'"
    )
