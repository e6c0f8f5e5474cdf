"""Kinds of options, with how the help shows them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from tyro.conf import FlagCreatePairsOff, UseAppendAction, arg

Flag: TypeAlias = Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")]
Name: TypeAlias = Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")]
Names: TypeAlias = Annotated[
    UseAppendAction[tuple[str, ...]], arg(metavar="NAME", help_behavior_hint="")
]
Folder: TypeAlias = Annotated[str | None, arg(metavar="DIR", help_behavior_hint="")]
Device: TypeAlias = Annotated[str | None, arg(metavar="DEVICE", help_behavior_hint="")]
File: TypeAlias = Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")]
Count: TypeAlias = Annotated[int | None, arg(metavar="N", help_behavior_hint="")]
"""Options that are ``None`` unless they are given."""
