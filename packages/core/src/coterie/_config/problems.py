"""One wrong setting, and the message that lists them all."""

from __future__ import annotations

import types
import typing
from typing import Any

import attrs
from attrs import frozen

_WORDS = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a text",
    type(None): "none",
}


@frozen
class Problem:
    """One wrong setting.

    Attributes:
        path: Where it is, ``"members.1.settings.learning_rate"``.
        value: What was got.
        expected: What is allowed.
        missing: Whether nothing was given where something must be.
        unknown: Whether the key itself is wrong.
    """

    path: str
    value: Any
    expected: str
    missing: bool = False
    unknown: bool = False

    def below(self, key: str) -> Problem:
        """The same problem, seen from one level up."""
        return attrs.evolve(self, path=f"{key}.{self.path}" if self.path else key)

    def __str__(self) -> str:
        place = self.path or "(top)"
        if self.missing:
            return f"{place} is missing: expected {self.expected}"
        if self.unknown:
            return f"{place} = {_short(self.value)}: {self.expected}"
        return f"{place} = {_short(self.value)}: expected {self.expected}"


def report(source: str, problems: list[Problem]) -> str:
    """Compose the message of a :class:`~coterie.ConfigError`."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{count} in {source}:", *(f"  - {problem}" for problem in problems)])


def describe_type(kind: Any) -> str:
    """Say in words what values a type annotation allows."""
    if kind in _WORDS:
        return _WORDS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_type(part) for part in arguments)
    if origin in (list, tuple):
        inner = [part for part in arguments if part is not Ellipsis]
        return "a list of " + ", ".join(describe_type(part) for part in inner) + " values"
    if origin is not None:
        return "a table"
    return f"a table of settings ({kind.__name__})" if attrs.has(kind) else str(kind)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
