"""Kinds of options, with how the help shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from tyro.conf import FlagCreatePairsOff, UseAppendAction, arg

from .._errors import ConfigError

Flag: TypeAlias = Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")]
Name: TypeAlias = Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")]
Names: TypeAlias = Annotated[
    UseAppendAction[tuple[str, ...]], arg(metavar="NAME", help_behavior_hint="")
]
Folder: TypeAlias = Annotated[str | None, arg(metavar="DIR", help_behavior_hint="")]
Device: TypeAlias = Annotated[str | None, arg(metavar="DEVICE", help_behavior_hint="")]
File: TypeAlias = Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")]
Progress: TypeAlias = Annotated[
    Literal["bar", "rich"] | None, arg(metavar="{bar,rich}", help_behavior_hint="")
]
Count: TypeAlias = Annotated[int | None, arg(metavar="N", help_behavior_hint="")]
"""Options that are ``None`` unless they are given."""


def progress_settings(progress: str | None, no_progress: bool) -> dict[str, Any]:
    """Turn ``--progress`` and ``--no-progress`` into settings of a trainer; empty without them.

    Raises:
        ConfigError: Both were given.
    """
    if progress and no_progress:
        raise ConfigError("give --progress or --no-progress, not both")
    if no_progress:
        return {"disable_progressbar": True}
    return {"progress": progress, "disable_progressbar": False} if progress else {}
