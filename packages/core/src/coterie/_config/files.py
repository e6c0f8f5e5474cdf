"""Read configuration files: TOML, YAML and JSON. Nothing in them is executed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .._errors import ConfigError
from .._nearest import did_you_mean

_MOST_BYTES = 10_000_000
_MOST_VALUES = 1_000_000
_MOST_LEVELS = 100


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read the table that a ``.toml``, ``.yaml``, ``.yml`` or ``.json`` file holds.

    Args:
        path: The file; at most 10 MB, 100 levels and a million values.

    Returns:
        The table, of plain values.

    Raises:
        ConfigError: There is no such file (with the nearest name), its ending is unknown, it
            can't be read, its syntax is wrong (with the line), a key is given twice, or it holds
            something else than a table.
    """
    path = Path(path)
    parse = _parser_for(path)
    text = _read_text(path)
    try:
        content = parse(text)
        _measure(content)
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no valid YAML: {_yaml_text(error)}") from None
    except ValueError as error:
        raise ConfigError(f"{path} can't be read: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a table of settings, got {_kind(content)}")
    return content


def _parser_for(path: Path) -> Callable[[str], Any]:
    suffix = path.suffix.lower()
    if suffix not in _PARSERS:
        raise ConfigError(
            f"{path}: a configuration file ends in {', '.join(_PARSERS)}; got {suffix!r}"
        )
    return _PARSERS[suffix]


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(_missing(path))
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ConfigError(f"{path} is larger than {_MOST_BYTES // 1_000_000} MB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from None


def _missing(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder, not a file"
    if not path.parent.is_dir():
        return f"there is no file {path}: there is no folder {path.parent}"
    try:
        beside = [other.name for other in path.parent.iterdir() if other.suffix in _PARSERS]
    except OSError:
        beside = []
    return f"there is no file {path}{did_you_mean(path.name, beside)}"


def _no_pair_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the key {key!r} is given twice")
        table[key] = value
    return table


def _parse_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_no_pair_twice)


class _Loader(yaml.SafeLoader):
    """The safe loader, which also takes ``1e-3`` for a number and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is given twice", key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _yaml_text(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} (at line {mark.line + 1}, column {mark.column + 1})" if mark else problem


def _measure(content: Any) -> None:
    """Refuse what YAML's references could blow up: the size counts as if they were copied."""
    sizes: dict[int, int] = {}

    def size(value: Any, level: int) -> int:
        if not isinstance(value, dict | list):
            return 1
        if level > _MOST_LEVELS:
            raise ValueError(f"it has more than {_MOST_LEVELS} levels")
        if id(value) not in sizes:
            parts = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(size(part, level + 1) for part in parts)
        return sizes[id(value)]

    if size(content, 1) > _MOST_VALUES:
        raise ValueError(f"it holds more than {_MOST_VALUES} values")


def _kind(content: Any) -> str:
    return "nothing" if content is None else f"a {type(content).__name__}"


_PARSERS: dict[str, Callable[[str], Any]] = {
    ".toml": tomllib.loads,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".json": _parse_json,
}
