"""Validators for attrs fields; what they raise reads as "expected …"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

Check = Callable[[Any, Any, Any], None]


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
        for part in value if isinstance(value, tuple | list) else (value,):
            above = part > self.low if self.low_open else part >= self.low
            below = part < self.high if self.high_open else part <= self.high
            if not (above and below):
                raise ValueError(self.words)


_HUGE = 2.0**63


def at_least(low: float) -> Check:
    """Allow numbers from ``low`` on (below 2**63); of a list, each one."""
    return _Within(low, _HUGE, False, True, f"at least {low:g}")


def more_than(low: float) -> Check:
    """Allow numbers greater than ``low`` (below 2**63); of a list, each one."""
    return _Within(low, _HUGE, True, True, f"more than {low:g}")


def between(low: float, high: float) -> Check:
    """Allow numbers from ``low`` to ``high``, both included; of a list, each one."""
    return _Within(low, high, False, False, f"from {low:g} to {high:g}")
