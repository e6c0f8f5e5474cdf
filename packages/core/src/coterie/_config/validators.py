"""Validators for attrs fields that say what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from .._errors import ConfigError

Check = Callable[[Any, Any, Any], None]


class SettingError(ConfigError):
    """One setting is outside of what is allowed.

    Attributes:
        words: What is allowed, to be read after "expected".
    """

    words: str = ""


@frozen
class _Within:
    low: float
    high: float
    low_open: bool
    high_open: bool
    words: str

    def __call__(self, instance: Any, attribute: Any, value: Any) -> None:
        if value is None:
            return
        parts = value if isinstance(value, tuple | list) else (value,)
        if not all(self._holds(part) for part in parts):
            error = SettingError(f"{attribute.name} = {value!r}: expected {self.words}")
            error.words = self.words
            raise error

    def _holds(self, part: Any) -> bool:
        try:
            above = part > self.low if self.low_open else part >= self.low
            below = part < self.high if self.high_open else part <= self.high
        except TypeError:
            return False
        return bool(above and below)


_HUGE = 2.0**63


def at_least(low: float) -> Check:
    """Allow numbers from ``low`` on (below 2**63), or none; of a list, each one."""
    return _Within(low, _HUGE, False, True, f"at least {low:g}")


def more_than(low: float) -> Check:
    """Allow numbers greater than ``low`` (below 2**63), or none; of a list, each one."""
    return _Within(low, _HUGE, True, True, f"more than {low:g}")


def between(low: float, high: float) -> Check:
    """Allow numbers from ``low`` to ``high``, both included, or none; of a list, each one."""
    return _Within(low, high, False, False, f"from {low:g} to {high:g}")
