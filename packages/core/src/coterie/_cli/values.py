"""``KEY=VALUE`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .._errors import ConfigError

_WORDS = {"True": True, "False": False, "None": None}
_OPENING, _CLOSING = "[{", "]}"


def parse_assignments(option: str, texts: Sequence[str]) -> dict[str, list[Any]]:
    """Read the ``KEY=VALUE`` arguments of an option.

    Args:
        option: The option, for messages.
        texts: Its arguments. A value is written as in JSON; what is no JSON is a text. Commas
            outside of brackets and quotes separate several values.

    Returns:
        The values of each key, at least one.

    Raises:
        ConfigError: One has no ``=``, no key or no value, or a key is given twice.
    """
    found: dict[str, list[Any]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not (equals and key):
            raise ConfigError(f"{option} takes KEY=VALUE, got {text!r}")
        if key in found:
            raise ConfigError(f"{option}: {key!r} is given twice")
        parts = split_values(value)
        if not all(parts):
            raise ConfigError(f"{option}: {text!r} lacks a value; an empty text is written '\"\"'")
        found[key] = [parse_value(part) for part in parts]
    return found


def parse_single(option: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read the ``KEY=VALUE`` arguments of an option whose keys have one value each.

    Raises:
        ConfigError: As :func:`parse_assignments`, or a key has several values.
    """
    found = parse_assignments(option, texts)
    for key, values in found.items():
        if len(values) > 1:
            raise ConfigError(f"{option}: {key!r} takes one value; a list is written [1,2]")
    return {key: values[0] for key, values in found.items()}


def parse_value(text: str) -> Any:
    """Read one value: JSON, ``True``, ``False``, ``None``, or else a text."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def split_values(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets and double quotes."""
    parts, depth, quoted = [""], 0, False
    for place, letter in enumerate(text):
        if letter == '"' and text[place - 1 : place] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def put(settings: dict[str, Any], key: str, value: Any) -> None:
    """Set a value; dots in its key lead into tables.

    Raises:
        ConfigError: A key on the way holds something else than a table.
    """
    *tables, last = key.split(".")
    for name in tables:
        settings = settings.setdefault(name, {})
        if not isinstance(settings, dict):
            raise ConfigError(f"{key!r}: {name!r} is no table of settings, it holds {settings!r}")
    settings[last] = value
