"""Values for annotated types, without silent conversions.

cattrs picks the hook for a type. The hooks here are stricter than its own: ``"10"`` is no
integer, ``True`` no number, ``inf`` no setting, ``"abc"`` no list of letters. Each collects the
problems of all its parts.
"""

from __future__ import annotations

import collections.abc
import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import cattrs

from .._nearest import did_you_mean
from .problems import Problem, Problems, describe_type, key_text

_HUGE = 2**63
_SEQUENCES = (list, tuple, set, frozenset, collections.abc.Sequence)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def convert(value: Any, kind: Any) -> Any:
    """Turn ``value`` into what the annotation ``kind`` asks for.

    Raises:
        Problems: It can't be, with every reason.
    """
    if kind is Any or kind is None:
        return value
    try:
        return converter.structure(value, kind)
    except (Problems, RecursionError):
        raise
    except Exception:
        raise _wrong(value, kind) from None


def collect(parts: Iterable[tuple[str, Any, Callable[[Any], Any]]]) -> list[Any]:
    """Convert parts one by one, and raise the problems of all of them together.

    Args:
        parts: Key, value and the function that converts it or raises :class:`Problems`.
    """
    done, problems = [], []
    for key, value, function in parts:
        try:
            done.append(function(value))
        except Problems as found:
            problems += [problem.below(key) for problem in found.problems]
    if problems:
        raise Problems(problems)
    return done


def _wrong(value: Any, kind: Any) -> Problems:
    return Problems([Problem("", value, describe_type(kind))])


def _integer(value: Any, kind: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise _wrong(value, int)
    result = int(value)
    if not -_HUGE <= result < _HUGE:
        raise Problems([Problem("", value, "an integer of at most 64 bits")])
    return result


def _number(value: Any, kind: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise _wrong(value, float)
    try:
        result = float(value)
    except OverflowError:
        raise _wrong(value, float) from None
    if not math.isfinite(result):
        raise _wrong(value, float)
    return result


def _truth(value: Any, kind: Any) -> bool:
    if type(value) is not bool:
        raise _wrong(value, bool)
    return value


def _text(value: Any, kind: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, str)
    return str.__str__(value)


def _nothing(value: Any, kind: Any) -> None:
    if value is not None:
        raise _wrong(value, None)


def _literal(value: Any, kind: Any) -> Any:
    for choice in typing.get_args(kind):
        if type(choice) is type(value) and choice == value:
            return choice
    raise _none_of(value, kind, [kind])


def _none_of(value: Any, kind: Any, members: Iterable[Any]) -> Problems:
    """Say what is allowed, with the nearest of the texts that are."""
    choices = [
        choice
        for member in members
        if typing.get_origin(member) is typing.Literal
        for choice in typing.get_args(member)
        if isinstance(choice, str)
    ]
    hint = did_you_mean(value, choices) if isinstance(value, str) else ""
    return Problems([Problem("", value, describe_type(kind) + hint)])


def _union(value: Any, kind: Any) -> Any:
    members = typing.get_args(kind)
    exact = [member for member in members if member is type(value)]
    problems: list[Problem] = []
    for member in (*exact, *members):
        try:
            return convert(value, member)
        except Problems as found:
            if _meant_as(value, member):
                problems = problems or found.problems
    raise Problems(problems) if problems else _none_of(value, kind, members)


def _meant_as(value: Any, kind: Any) -> bool:
    """Say whether ``value`` was probably meant as a ``kind``, so that its problems are told."""
    origin = typing.get_origin(kind) or kind
    if isinstance(value, Mapping):
        return origin in _MAPPINGS or (isinstance(origin, type) and attrs.has(origin))
    return isinstance(value, list | tuple) and origin in _SEQUENCES


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _sequence(value: Any, kind: Any) -> Any:
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    sets = (set, frozenset)
    allowed = (list, tuple, *sets) if origin in sets else (list, tuple)
    if not isinstance(value, allowed):
        raise _wrong(value, kind)
    if origin is tuple and arguments and Ellipsis not in arguments:
        members = () if arguments == ((),) else arguments
        if len(value) != len(members):
            raise _wrong(value, kind)
    else:
        members = (arguments[0] if arguments else Any,) * len(value)
    parts = zip(value, members, strict=True)
    found = collect(
        (str(index), part, lambda part, member=member: convert(part, member))  # type: ignore[misc]
        for index, (part, member) in enumerate(parts)
    )
    return tuple(found) if origin is collections.abc.Sequence else origin(found)


def _is_sequence(kind: Any) -> bool:
    return _is_one_of(kind, _SEQUENCES)


def _mapping(value: Any, kind: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(value, kind)
    key_kind, part_kind = typing.get_args(kind) or (Any, Any)
    keys = collect((key_text(key), key, lambda key: convert(key, key_kind)) for key in value)
    parts = collect(
        (key_text(key), part, lambda part: convert(part, part_kind)) for key, part in value.items()
    )
    return dict(zip(keys, parts, strict=True))


def _is_mapping(kind: Any) -> bool:
    return _is_one_of(kind, _MAPPINGS)


def _as_it_is(value: Any, kind: Any) -> Any:
    """Take an object of a class that files can't hold, such as a device or a network."""
    if not isinstance(value, kind):
        raise _wrong(value, kind)
    return value


def _callable(value: Any, kind: Any) -> Any:
    if not callable(value):
        raise _wrong(value, kind)
    return value


def _is_callable(kind: Any) -> bool:
    return _is_one_of(kind, (collections.abc.Callable,))


def _is_one_of(kind: Any, origins: tuple[Any, ...]) -> bool:
    return (typing.get_origin(kind) or kind) in origins


def _make_converter() -> cattrs.Converter:
    made = cattrs.Converter(
        structure_fallback_factory=lambda kind: _as_it_is if isinstance(kind, type) else _refuse,
    )
    made.register_structure_hook_func(_is_union, _union)
    made.register_structure_hook_func(_is_sequence, _sequence)
    made.register_structure_hook_func(_is_mapping, _mapping)
    made.register_structure_hook_func(_is_callable, _callable)
    made.register_structure_hook_func(lambda kind: _is_one_of(kind, (typing.Literal,)), _literal)
    made.register_structure_hook(int, _integer)
    made.register_structure_hook(float, _number)
    made.register_structure_hook(bool, _truth)
    made.register_structure_hook(str, _text)
    made.register_structure_hook(type(None), _nothing)
    return made


def _refuse(value: Any, kind: Any) -> Any:
    raise _wrong(value, kind)


converter = _make_converter()
