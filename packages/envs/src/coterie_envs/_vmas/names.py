"""Names of scenarios: those that VMAS has, and the paths of others' modules."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from coterie import ConfigError
from coterie.config import did_you_mean


def find_scenario(env_id: str) -> Any:
    """Find a scenario.

    Args:
        env_id: ``"balance"``, or the path of a module with a class ``Scenario``
            (``"my_package.my_scenario"``), or ``"module:Class"``.

    Returns:
        What ``vmas.make_env`` takes: a name, or an object of the class.

    Raises:
        ConfigError: There is none; with the nearest name.
    """
    known = list_ids()
    if env_id in known:
        return env_id
    module, _, kind = env_id.partition(":")
    if "." not in module and not kind:
        raise ConfigError(
            f"vmas has no scenario {env_id!r}{did_you_mean(env_id, known)}; 'coterie "
            "envs vmas' lists those it has; one of your own is named by its module, "
            "'package.module'"
        )
    try:
        found = getattr(importlib.import_module(module), kind or "Scenario", None)
    except ImportError as error:
        raise ConfigError(
            f"vmas:{env_id}: the module {module!r} can't be imported: {error}"
        ) from error
    if not isinstance(found, type):
        raise ConfigError(f"vmas:{env_id}: {module} has no class {kind or 'Scenario'!r}")
    return found()


def list_ids() -> list[str]:
    """List the scenarios that VMAS has, without importing it; sorted, none where it is missing."""
    spec = importlib.util.find_spec("vmas")
    places = (spec.submodule_search_locations or ()) if spec else ()
    files = [file for place in places for file in Path(place, "scenarios").rglob("*.py")]
    return sorted({file.stem for file in files if not file.stem.startswith("_")})
