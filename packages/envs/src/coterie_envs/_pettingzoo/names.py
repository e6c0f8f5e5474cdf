"""Ids of PettingZoo environments: paths of modules."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from coterie import ConfigError
from coterie.config import did_you_mean, nearest

FAMILIES = {
    "mpe2": ("mpe2", "mpe2"),
    "sisl": ("pettingzoo.sisl", "pettingzoo[sisl]"),
    "butterfly": ("pettingzoo.butterfly", "pettingzoo[butterfly]"),
    "atari": ("pettingzoo.atari", "pettingzoo[atari]"),
    "classic": ("pettingzoo.classic", "pettingzoo[classic]"),
}
"""By family: the package that holds it, and what installs it."""

_LISTED = ("mpe2", "sisl", "butterfly", "atari")  # classic games are played in turn
_FUNCTIONS = ("parallel_env", "env")


def find_maker(env_id: str) -> tuple[Callable[..., Any], ModuleType]:
    """Find the function that makes an environment.

    Args:
        env_id: ``"mpe2/simple_spread_v3"``, ``"sisl/pursuit_v5"`` (without the version: the
            newest), the path of a module with a function ``parallel_env`` or ``env``
            (``"my_package.my_env"``), or ``"module:function"``.

    Returns:
        The function, and the module that it was found in.

    Raises:
        ConfigError: There is no such module or function; with what is near.
    """
    label = f"pettingzoo:{env_id}"
    path, _, function = env_id.partition(":")
    module = _import(_module_name(path), path, label)
    if function:
        return _named(module, function, label), module
    for name in _FUNCTIONS:
        if callable(getattr(module, name, None)):
            return getattr(module, name), module
    raise ConfigError(
        f"{label}: the module {module.__name__} has neither parallel_env nor env; name what makes "
        f"the environment: {label}:FUNCTION"
    )


def _named(module: ModuleType, function: str, label: str) -> Callable[..., Any]:
    found = getattr(module, function, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    known = [name for name in vars(module) if not name.startswith("_")]
    raise ConfigError(
        f"{label}: the module {module.__name__} has no function {function!r}"
        f"{did_you_mean(function, known)}"
    )


def _module_name(path: str) -> str:
    family, slash, name = path.partition("/")
    if slash and family in FAMILIES:
        newest = _newest(family).get(name, name)
        return f"{FAMILIES[family][0]}.{newest}"
    return path.replace("/", ".")


def _import(module: str, path: str, label: str) -> ModuleType:
    try:
        with warnings.catch_warnings():  # making environments without PettingZoo's registry
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(module)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{label}: {_why_not(module, path, error)}") from error


def _why_not(module: str, path: str, error: Exception) -> str:
    family = path.partition("/")[0]
    missing = str(getattr(error, "name", "") or "")
    if not (module == missing or module.startswith(f"{missing}.")):
        how = f'; pip install "{FAMILIES[family][1]}"' if family in FAMILIES else ""
        return f"the module {module!r} can't be imported: {error}{how}"
    if family in FAMILIES and "/" in path:
        if importlib.util.find_spec(FAMILIES[family][0].partition(".")[0]) is None:
            return f'{family} is not installed: pip install "{FAMILIES[family][1]}"'
        return f"{family} has no environment {path.partition('/')[2]!r}{_suggest(path)}"
    return f"there is no module {module!r}{_suggest(path)}"


def _suggest(path: str) -> str:
    ids = list_ids()
    bare = _without_version(path)
    by_name = {_without_version(one): one for one in ids}
    near = by_name.get(bare) or by_name.get(nearest(bare, by_name) or "")
    if near:
        return f"; did you mean 'pettingzoo:{near}'?"
    families = ", ".join(FAMILIES)
    return f"; write FAMILY/NAME ({families}) or the path of a module with a parallel_env"


def _without_version(name: str) -> str:
    bare, _, version = name.rpartition("_v")
    return bare if bare and version.isdigit() else name


def list_ids() -> list[str]:
    """List the ids of the families that are installed, without importing any; sorted."""
    return sorted(f"{family}/{name}" for family in _LISTED for name in _modules(family))


def _newest(family: str) -> dict[str, str]:
    """By name without version: the newest module of a family."""
    found = sorted(_modules(family), key=lambda name: int(name.rpartition("_v")[2]))
    return {_without_version(name): name for name in found}


def _modules(family: str) -> Iterator[str]:
    package, *rest = FAMILIES[family][0].split(".")
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for file in Path(place, *rest).glob("*_v*.py"):
            if file.stem != _without_version(file.stem):
                yield file.stem
