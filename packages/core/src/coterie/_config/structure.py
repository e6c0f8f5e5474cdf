"""Turn mappings into attrs objects, strictly, and tell every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from .._errors import ConfigError
from .._nearest import did_you_mean
from .convert import collect, convert, converter
from .problems import Problem, Problems, describe_type, key_text, report
from .validators import SettingError

T = TypeVar("T")


def structure(cls: type[T], value: Any, *, source: str = "configuration") -> T:
    """Make an instance of the attrs class ``cls``.

    Nothing is converted silently: a text is no number, ``True`` no integer; integers have at
    most 64 bits, and numbers are finite. Lists become tuples where the field is one.

    Args:
        cls: The attrs class.
        value: An instance of ``cls`` (checked, and returned as it is), a mapping of its fields,
            or ``None`` for the defaults.
        source: What is being read, for the message: a file's name, ``"cfg"`` …

    Returns:
        The checked instance.

    Raises:
        ConfigError: Something is wrong; the message lists every problem with its path, the
            value, what is expected and the nearest known name.
    """
    try:
        return _structure_class({} if value is None else value, cls)  # type: ignore[no-any-return]
    except Problems as found:
        raise ConfigError(report(source, found.problems)) from None
    except RecursionError:
        raise ConfigError(f"{source} is nested too deeply") from None


def unstructure(value: Any) -> Any:
    """Turn attrs objects into dicts and lists of plain values, for files."""
    return converter.unstructure(value)


def _structure_class(value: Any, cls: Any) -> Any:
    fields = {field.alias: field for field in attrs.fields(_resolved(cls)) if field.init}
    if isinstance(value, cls):
        _check_instance(value, fields)
        return value
    if not isinstance(value, Mapping):
        raise Problems([Problem("", value, _wanted(value, cls))])
    given = _structure_fields(value, fields)
    try:
        return cls(**given)
    except (ValueError, TypeError) as error:
        raise Problems([Problem("", dict(value), _text_of(error), sentence=True)]) from None


def _resolved(cls: Any) -> Any:
    try:
        return attrs.resolve_types(cls)
    except NameError as error:
        raise TypeError(
            f"the annotations of {cls.__name__} can't be read: {error}; "
            "names in them must be imported at run time"
        ) from error


def _wanted(value: Any, cls: Any) -> str:
    if attrs.has(type(value)):
        return (
            f"an object of {cls.__name__} or a mapping of its fields, not of {type(value).__name__}"
        )
    return describe_type(cls)


def _check_instance(value: Any, fields: Mapping[str, attrs.Attribute[Any]]) -> None:
    """Check the fields of an object as strictly as those of a mapping; defaults are trusted."""
    parts = ((key, getattr(value, field.name), field) for key, field in fields.items())
    collect(
        (key, part, lambda part, field=field: _structure_field(part, field))  # type: ignore[misc]
        for key, part, field in parts
        if part is not field.default
    )


def _structure_fields(
    value: Mapping[Any, Any], fields: Mapping[str, attrs.Attribute[Any]]
) -> dict[str, Any]:
    problems = [_unknown(key, value[key], fields) for key in value if key not in fields]
    given = {}
    for key, field in fields.items():
        if key in value:
            try:
                given[key] = _structure_field(value[key], field)
            except Problems as found:
                problems += [problem.below(key) for problem in found.problems]
        elif field.default is attrs.NOTHING:
            problems.append(Problem(key, None, describe_type(field.type), missing=True))
    if problems:
        raise Problems(problems)
    return given


def _unknown(key: Any, value: Any, fields: Mapping[str, Any]) -> Problem:
    known = f"; known are {', '.join(sorted(fields))}" if fields else "; there are no settings"
    hint = did_you_mean(key, fields) if isinstance(key, str) else ""
    return Problem(key_text(key), value, f"no such key{hint or known}", sentence=True)


def _structure_field(value: Any, field: attrs.Attribute[Any]) -> Any:
    result = convert(value, field.type)
    if field.validator is None or field.converter is not None:
        return result
    try:
        field.validator(None, field, result)
    except SettingError as error:
        raise Problems([Problem("", value, error.words)]) from None
    except (ValueError, TypeError) as error:
        raise Problems([Problem("", value, _text_of(error), sentence=True)]) from None
    except Exception:
        # A validator that looks at the whole object runs when the object is made.
        return result
    return result


def _text_of(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


converter.register_structure_hook_func(
    lambda kind: isinstance(kind, type) and attrs.has(kind), _structure_class
)
