"""What a run can be told, and how it answers. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from .._errors import ConfigError
from .._nearest import did_you_mean

COMMANDS = ("pause", "resume", "stop", "set", "checkpoint")
_OF_MEMBERS = ("stop", "set")


@frozen(kw_only=True)
class Command:
    """Something that a run is told to do.

    Attributes:
        name: One of ``COMMANDS``.
        member: Name of the member that it is about; empty: it is about the run.
        settings: Of ``"set"``: new values by name.
    """

    name: str
    member: str = ""
    settings: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Answer:
    """What became of a command.

    Attributes:
        done: Whether it was done.
        text: What was done, or why it was not.
        timestep: Timesteps done then; ``None``: the run had ended.
    """

    done: bool
    text: str
    timestep: int | None = None


def make_command(name: Any, member: Any = "", settings: Any = None) -> Command:
    """Check a command.

    Raises:
        ConfigError: There is no such command, or it lacks something, or has too much.
    """
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS) if isinstance(name, str) else ""
        raise ConfigError(f"there is no command {name!r}{near}; there are {', '.join(COMMANDS)}")
    if not isinstance(member, str) or bool(member) != (name in _OF_MEMBERS):
        need = "needs the name of a member" if name in _OF_MEMBERS else "is about the whole run"
        raise ConfigError(f"{name} {need}, got {member!r}")
    if settings is not None and not (
        isinstance(settings, Mapping) and all(isinstance(key, str) for key in settings)
    ):
        raise ConfigError(f"settings must be values by name, got {settings!r}")
    if bool(settings) != (name == "set"):
        need = "needs settings, such as learning_rate=3e-4" if name == "set" else "has no settings"
        raise ConfigError(f"{name} {need}")
    return Command(name=name, member=member, settings=dict(settings or {}))
