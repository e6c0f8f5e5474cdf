"""Settings that change while an agent lives: which, and to what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .._errors import ConfigError
from .._nearest import did_you_mean
from .structure import structure


def changed_settings(
    kind: str, cfg: Any, changeable: Sequence[str], settings: Mapping[str, Any]
) -> Any:
    """Apply new settings to a configuration.

    Args:
        kind: Name of the algorithm, for messages.
        cfg: The configuration, an attrs instance; it stays as it is.
        changeable: Names of the fields that may change.
        settings: New values by field; a value that is the old one is no change.

    Returns:
        The new configuration.

    Raises:
        ConfigError: A field is unknown, its value is wrong, or it may not change; all problems
            at once.
    """
    known = {field.name: getattr(cfg, field.name) for field in attrs.fields(type(cfg))}
    changed = structure(type(cfg), {**known, **settings}, source=f"new settings of {kind!r}")
    fixed = [name for name in settings if name not in changeable]
    if fixed:
        can = f"{', '.join(changeable)} can" if changeable else "none of its settings can"
        near = did_you_mean(fixed[0], changeable)
        raise ConfigError(
            f"agent {kind!r}: {', '.join(fixed)} can't change while the agent lives; {can}{near}"
        )
    return changed
