"""One wrong setting, and the message that lists them all."""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

_WORDS: dict[Any, str] = {
    int: "an integer",
    float: "a finite number",
    bool: "true or false",
    str: "a text",
    None: "none",
    type(None): "none",
    list: "a list",
    tuple: "a list",
    dict: "a table",
    Path: "a path",
    collections.abc.Callable: "a function",
}
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence)
_MOST = 30


@frozen
class Problem:
    """One wrong setting.

    Attributes:
        path: Where it is, ``"members.1.settings.learning_rate"``.
        value: What was got.
        expected: What is allowed.
        missing: Whether nothing was given where something must be.
        sentence: Whether ``expected`` says all by itself.
    """

    path: str
    value: Any
    expected: str
    missing: bool = False
    sentence: bool = False

    def below(self, key: str) -> Problem:
        """The same problem, seen from one level up."""
        return attrs.evolve(self, path=f"{key}.{self.path}" if self.path else key)

    def __str__(self) -> str:
        place = self.path or "(top)"
        if self.missing:
            return f"{place} is missing: expected {self.expected}"
        words = self.expected if self.sentence else f"expected {self.expected}"
        return f"{place} = {short(self.value)}: {words}"


class Problems(Exception):
    """Problems found below one value, on their way up."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__()
        self.problems = list(problems)


def report(source: str, problems: Sequence[Problem]) -> str:
    """Compose the message of a :class:`~coterie.ConfigError`."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{count} in {source}:", *(f"  - {problem}" for problem in problems[:_MOST])]
    if len(problems) > _MOST:
        lines.append(f"  - and {len(problems) - _MOST} more")
    return "\n".join(lines)


def describe_type(kind: Any) -> str:
    """Say in words what values a type annotation allows."""
    if isinstance(kind, collections.abc.Hashable) and kind in _WORDS:
        return _WORDS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return describe_type(arguments[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_type(part) for part in arguments)
    if origin is collections.abc.Callable:
        return "a function"
    if origin in _LISTS:
        return _describe_list(origin, arguments)
    if origin in (dict, collections.abc.Mapping):
        return f"a table whose values are each {describe_type(arguments[1])}"
    return _describe_class(kind) if isinstance(kind, type) else str(kind)


def _describe_class(kind: type[Any]) -> str:
    if attrs.has(kind):
        return f"a table of settings ({kind.__name__})"
    if issubclass(kind, enum.Enum):
        return "one of " + ", ".join(repr(member.value) for member in kind)
    return f"an object of {kind.__module__}.{kind.__qualname__}"


def _describe_list(origin: Any, arguments: Sequence[Any]) -> str:
    if origin is tuple and Ellipsis not in arguments:
        parts = ", ".join(describe_type(part) for part in arguments)
        return f"a list of {len(arguments)}: {parts}"
    return f"a list, each {describe_type(arguments[0])}"


def key_text(key: Any) -> str:
    """Write a key so that it stays on one line."""
    return key if isinstance(key, str) and key.isprintable() and len(key) <= 60 else short(key)


def short(value: Any) -> str:
    """Write a value on one line of at most 60 characters, whatever it is."""
    try:
        text = repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
