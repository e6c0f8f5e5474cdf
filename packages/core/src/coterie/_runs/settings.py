"""The settings of members, shortly: what they share, and what sets each apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def split_settings(
    settings: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Part the settings that all members share from those that they do not.

    Args:
        settings: Settings of each member that are not the default.

    Returns:
        What every member has, with the same value, and what else each has. A single member
        shares nothing.
    """
    if len(settings) < 2:
        return {}, [dict(own) for own in settings]
    first, *others = settings
    shared = {
        key: value
        for key, value in first.items()
        if all(key in other and other[key] == value for other in others)
    }
    rest = [{key: own[key] for key in own if key not in shared} for own in settings]
    return shared, rest


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings as ``key=value``, with commas between them."""
    return ", ".join(f"{key}={_value(value)}" for key, value in settings.items())


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
