"""From the names of controllers to controllers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from .._errors import ConfigError
from .._registry.manager import registry
from .._registry.needs import require_installed
from .interface import Controller

if TYPE_CHECKING:
    from .._trainers.members import Member

ControllerChoice: TypeAlias = str | tuple[str, Any] | Controller


def make_controllers(
    choices: Sequence[ControllerChoice], members: Sequence[Member]
) -> list[Controller]:
    """Make controllers from their names; those that are made already are taken as they are.

    Args:
        choices: Names of plugins, pairs of a name and settings, and controllers.
        members: The population that they are to work with, in order of scope.

    Raises:
        ConfigError: A setting is wrong or does not go with the members, something else was
            given, or two are of one kind.
        PluginNotFound: There is no such controller.
        PluginError: One can't be imported, or something that it needs is not installed.
    """
    if isinstance(choices, str | Controller | Mapping):
        raise ConfigError(f"controllers must be a list, got {choices!r}; write [{choices!r}]")
    made = [_make(choice) for choice in choices]
    kinds = [controller.kind for controller in made]
    for kind in dict.fromkeys(kinds):
        if kinds.count(kind) > 1:
            raise ConfigError(f"two controllers are of kind {kind!r}; give one")
    for controller in made:
        controller.check(members)
    return made


def _make(choice: Any) -> Controller:
    if isinstance(choice, Controller):
        return choice
    name, settings = _named(choice)
    require_installed("controller", registry().find("controller", name).record)
    made: Controller = registry().load("controller", name)(settings)
    return made


def _named(choice: Any) -> tuple[str, Any]:
    if isinstance(choice, str):
        return choice, None
    if isinstance(choice, tuple | list) and len(choice) == 2 and isinstance(choice[0], str):
        return choice[0], choice[1]
    raise ConfigError(
        f"a controller is a name, a pair of name and settings, or a Controller, got {choice!r}"
    )
