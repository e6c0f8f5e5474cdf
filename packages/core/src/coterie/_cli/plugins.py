"""``coterie plugins``."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import Any, ClassVar

from attrs import frozen

from .failures import FINE, debugging
from .options import Flag

_NOUNS = ("trainers", "agents", "environments", "loggers", "controllers")


_ABOUT = """List what is installed, and which plugins failed.

  coterie plugins --json"""


@frozen(kw_only=True)
class Plugins:
    """List what is installed, and which plugins failed.

    Attributes:
        json: Print JSON in place of text.
        debug: Show the tracebacks of plugins that failed.
    """

    about: ClassVar[str] = _ABOUT
    json: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Print the list; return the exit code, 0 also where plugins failed."""
        from .._registry.manager import registry

        found = registry().listing()
        if self.json:
            print(json.dumps(found, indent=2))
        else:
            print("\n".join(describe(found, debugging(self.debug))))
        return FINE


def describe(found: dict[str, list[dict[str, Any]]], tracebacks: bool) -> list[str]:
    """Lay the list out for people, in lines.

    Args:
        found: What :meth:`Registry.listing` returns.
        tracebacks: Whether to show the tracebacks of plugins that failed.
    """
    rows = [row for noun in _NOUNS for row in found[noun]]
    width = max((len(row["name"]) for row in rows), default=0)
    source = max((len(_source(row)) for row in rows), default=0)
    lines = []
    for noun in _NOUNS:
        lines.append(noun)
        for row in found[noun]:
            start = f"  {row['name']:<{width}}  {_source(row):<{source}}  "
            lines += wrapped(start, row["summary"])
        lines += [] if found[noun] else ["  none"]
    if found["failed"]:
        lines.append("failed")
        for row in found["failed"]:
            lines += wrapped(f"  {row['plugin']} ({_source(row)}): ", row["reason"], 4)
            if tracebacks and row["traceback"]:
                lines.append(textwrap.indent(row["traceback"].rstrip(), "    "))
    if found["disabled"]:
        lines.append("left out by COTERIE_DISABLE_PLUGINS")
        lines += [f"  {row['plugin']} ({_source(row)})" for row in found["disabled"]]
    if found["duplicates"]:
        lines.append("offered more than once")
        lines += [_duplicate(row) for row in found["duplicates"]]
    return lines


def _source(row: dict[str, Any]) -> str:
    return f"{row['distribution']} {row['version']}".strip()


def _duplicate(row: dict[str, Any]) -> str:
    names = " and ".join(_source(source) for source in row["offered_by"])
    kept = f"that of {row['kept']} is kept" if row["kept"] else "none can be used"
    return f"  {row['noun']} {row['name']}: {names}; {kept}"


def wrapped(start: str, text: str, indent: int | None = None) -> list[str]:
    """Break a line at the terminal's width.

    Args:
        start: What stands before the text.
        text: The text.
        indent: Number of spaces before the following lines; ``None``: as wide as ``start``.
    """
    width = max(60, shutil.get_terminal_size().columns)
    later = " " * (len(start) if indent is None else indent)
    return textwrap.wrap(start + text, width, subsequent_indent=later, drop_whitespace=True) or [
        start
    ]
