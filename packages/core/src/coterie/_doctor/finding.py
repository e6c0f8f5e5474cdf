"""What a check comes to."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from attrs.validators import in_

Verdict: TypeAlias = Literal["ok", "note", "problem"]
Section: TypeAlias = Literal["versions", "machine", "limits", "cuda", "plugins", "trainers"]


@frozen
class Finding:
    """What one check came to.

    Attributes:
        section: Kind of check.
        name: What was looked at; with the section it is unique.
        value: What was found, for people.
        verdict: ``"ok"``, ``"note"`` (it works, something is worth knowing) or ``"problem"``
            (something does not work, or not as it should).
        advice: What to change; empty where there is nothing to change.
        facts: What was found, as plain values.
    """

    section: Section
    name: str
    value: str
    verdict: Verdict = field(default="ok", validator=in_(("ok", "note", "problem")))
    advice: str = ""
    facts: dict[str, Any] = field(factory=dict)


def size_text(size: float) -> str:
    """Write a number of bytes shortly: 1610612736 is ``1.5 GiB``."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size < 999 * unit else f"{size / unit:.0f} {name}"
    return f"{size:.0f} bytes"
