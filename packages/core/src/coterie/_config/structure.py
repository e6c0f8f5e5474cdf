"""Turn mappings into attrs objects, strictly, and tell every problem at once.

cattrs converts the values; this module adds what it has no opinion on: no silent conversion
(``"10"`` is no int, ``True`` is no number, ``inf`` is no float), each field's own validator is
run even when another field is wrong, and unknown keys come with the nearest known one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.errors import CattrsError

from .._errors import ConfigError
from .._nearest import did_you_mean
from .problems import Problem, describe_type, report

T = TypeVar("T")


class _Problems(Exception):
    """Problems found below one value, on their way up."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


def structure(cls: type[T], value: Any, *, source: str = "configuration") -> T:
    """Make an instance of the attrs class ``cls``.

    Args:
        cls: The attrs class.
        value: An instance of ``cls`` (returned as it is), a mapping of its fields, or ``None``
            for the defaults.
        source: What is being read, for the message: a file's name, ``"cfg"`` …

    Returns:
        The checked instance.

    Raises:
        ConfigError: Something is wrong; the message lists every problem with its path, the
            value, what is expected and the nearest known name.
    """
    if isinstance(value, cls):
        return value
    if value is None:
        value = {}
    try:
        return _structure_class(value, cls)  # type: ignore[no-any-return]
    except _Problems as found:
        raise ConfigError(report(source, found.problems)) from None


def unstructure(value: Any) -> Any:
    """Turn attrs objects into dicts and lists of plain values, for files."""
    return _converter.unstructure(value)


def _structure_class(value: Any, cls: Any) -> Any:
    if isinstance(value, cls):
        return value
    if not isinstance(value, Mapping):
        raise _Problems([Problem("", value, f"a table of settings ({cls.__name__})")])
    fields = {field.alias: field for field in attrs.fields(attrs.resolve_types(cls)) if field.init}
    problems = [_unknown(key, value[key], fields) for key in value if key not in fields]
    given = {}
    for key, field in fields.items():
        if key in value:
            try:
                given[key] = _structure_field(value[key], field)
            except _Problems as found:
                problems += [problem.below(key) for problem in found.problems]
        elif field.default is attrs.NOTHING:
            problems.append(Problem(key, None, describe_type(field.type), missing=True))
    if problems:
        raise _Problems(problems)
    try:
        return cls(**given)
    except (ValueError, TypeError) as error:
        raise _Problems([Problem("", dict(value), str(error))]) from None


def _unknown(key: Any, value: Any, fields: Mapping[str, Any]) -> Problem:
    hint = did_you_mean(str(key), fields) or f"; known are {', '.join(sorted(fields))}"
    return Problem(str(key), value, f"no such key{hint}", unknown=True)


def _structure_field(value: Any, field: attrs.Attribute[Any]) -> Any:
    expected = describe_type(field.type)
    try:
        result = value if field.type is Any else _converter.structure(value, field.type)  # type: ignore[arg-type]
    except _Problems:
        raise
    except (cattrs.BaseValidationError, CattrsError, ValueError, TypeError) as e:
        raise _Problems(_problems_within(e, value, expected)) from None
    if field.validator is not None:
        try:
            field.validator(None, field, result)
        except (ValueError, TypeError) as error:
            raise _Problems([Problem("", value, _validator_text(error))]) from None
    return result


def _problems_within(error: BaseException, value: Any, expected: str) -> list[Problem]:
    """Collect the problems of a sequence or mapping, each with its position."""
    if not isinstance(error, cattrs.BaseValidationError):
        return [Problem("", value, expected)]
    found: list[Problem] = []
    for part in error.exceptions:
        notes = [n for n in getattr(part, "__notes__", []) if hasattr(n, "index")]
        place = str(notes[0].index) if notes else ""
        inner = value[notes[0].index] if notes and _has(value, notes[0].index) else value
        if isinstance(part, _Problems):
            below = part.problems
        else:
            below = _problems_within(part, inner, expected)
        found += [problem.below(place) for problem in below] if place else below
    return found


def _has(value: Any, index: Any) -> bool:
    if isinstance(value, Mapping):
        return index in value
    return isinstance(value, list | tuple) and isinstance(index, int) and index < len(value)


def _validator_text(error: Exception) -> str:
    return str(error.args[0]) if error.args else str(error)


def _strict(kind: type) -> Any:
    def check(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}")
        return value

    return check


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError("expected a finite number")
    return float(value)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (int, bool, str):
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(
        lambda kind: isinstance(kind, type) and attrs.has(kind), _structure_class
    )
    return converter


_converter = _make_converter()
