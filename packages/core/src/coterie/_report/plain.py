"""Texts and numbers from files that nobody vouches for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._errors import ConfigError

_LARGEST = 64 * 1024 * 1024
_LONGEST = 300


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object from a file; ``None``: there is no such file.

    Raises:
        ConfigError: It can't be read, is over 64 MiB, or holds something else.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is too large for a file of a run")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is damaged, it holds no JSON: {clean(error)}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is damaged: it holds no JSON object")
    return content


def clean(value: Any, longest: int = _LONGEST) -> str:
    """Write a value as one line of printable text: controls as escapes, cut where it is long."""
    text = str(value)
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def number(value: Any) -> float | None:
    """Return a finite number as it is, anything else as ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: Any) -> int | None:
    """Return an integer as it is, anything else as ``None``."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def table(value: Any) -> dict[str, Any]:
    """Return an object as it is, anything else as an empty one."""
    return dict(value) if isinstance(value, Mapping) else {}


def rows(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list; anything else has none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give nested settings dotted names, and texts in place of lists and long texts."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = clean(f"{prefix}{key}")
        if isinstance(value, dict) and value:
            found |= flat(value, f"{name}.")
        elif value is None or isinstance(value, bool | int | float):
            found[name] = value
        else:
            found[name] = clean(json.dumps(value) if isinstance(value, list | dict) else value)
    return found
