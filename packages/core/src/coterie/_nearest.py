"""The nearest valid name, for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name that looks most like ``name``, or ``None`` if none is near."""
    candidates = {candidate.lower(): candidate for candidate in allowed}
    found = difflib.get_close_matches(name.lower(), candidates, n=1, cutoff=0.6)
    return candidates[found[0]] if found else None


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or an empty text if no allowed name is near."""
    near = nearest(name, allowed)
    return f"; did you mean {near!r}?" if near else ""
