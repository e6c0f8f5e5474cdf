"""``coterie envs``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from attrs import frozen
from tyro.conf import Positional, arg

from .._registry.needs import missing_modules
from .failures import FINE
from .options import Flag
from .plugins import wrapped

if TYPE_CHECKING:
    from .._registry.entries import Offer

_ABOUT = """List the kinds of environments that can be trained in, and those that could be.

  coterie envs                     what is installed, and how to install the rest
  coterie envs envpool             the ids of a kind
  coterie envs envpool:Pendulum    those that contain a text
  coterie envs --json"""


@frozen(kw_only=True)
class Envs:
    """List the kinds of environments that can be trained in, and those that could be.

    Attributes:
        kind: Kind whose ids are listed, such as envpool; after a colon, a text that they contain.
        json: Print JSON in place of text.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    kind: Annotated[Positional[str | None], arg(metavar="KIND", help_behavior_hint="")] = None
    json: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Print the list; return the exit code.

        Raises:
            PluginError: Nobody offers the kind, or its plugin is broken.
        """
        found: Any = kinds() if self.kind is None else _ids(self.kind)
        if self.json:
            print(json.dumps(found, indent=2))
        elif self.kind is None:
            print("\n".join(describe(found)))
        else:
            print("\n".join(found) if found else _no_ids(self.kind))
        return FINE


def kinds() -> list[dict[str, Any]]:
    """Describe every kind of environment in plain values, sorted by name.

    Returns:
        For each kind its ``name`` and ``summary``, the ``distribution`` that offers it,
        ``installed`` (whether it can make environments), the modules that are ``missing``, and
        the command that installs them.
    """
    from .._registry.manager import registry
    from .._registry.nouns import first_party_names, home_of

    rows = [_row(offer) for offer in registry().offers("environment")]
    offered = {row["name"] for row in rows}
    for name in first_party_names("environment"):
        if name not in offered:
            home = home_of("environment", name) or ""
            rows.append(_absent(name, home))
    return sorted(rows, key=lambda row: str(row["name"]))


def _row(offer: Offer) -> dict[str, Any]:
    record = offer.record
    missing = missing_modules(record.needs)
    return {
        "name": record.name,
        "summary": record.summary,
        "distribution": offer.source.distribution,
        "installed": not missing,
        "missing": missing,
        "install": record.install,
    }


def _absent(name: str, home: str) -> dict[str, Any]:
    return {
        "name": name,
        "summary": f"offered by {home}",
        "distribution": home,
        "installed": False,
        "missing": [home],
        "install": f"pip install {home}",
    }


def describe(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lay the kinds out for people, in lines: first those that are installed."""
    width = max((len(row["name"]) for row in rows), default=0)
    here = [row for row in rows if row["installed"]]
    rest = [row for row in rows if not row["installed"]]
    lines = ["installed"]
    for row in here:
        lines += wrapped(f"  {row['name']:<{width}}  ", row["summary"])
    lines += [] if here else ["  none"]
    if rest:
        lines.append("not installed")
    for row in rest:
        lines += wrapped(f"  {row['name']:<{width}}  ", row["summary"])
        how = row["install"] or f"install {', '.join(row['missing'])}"
        lines.append(f"  {'':<{width}}  {how}")
    return [*lines, "", "coterie envs KIND lists the ids of a kind."]


def _ids(text: str) -> list[str]:
    """List the ids of a kind, with the kind before the colon, as ``coterie train`` takes them."""
    from .._registry.manager import registry

    kind, _, part = text.partition(":")
    ids = registry().load("environment", kind)().ids()
    return [f"{kind}:{one}" for one in ids if part.lower() in one.lower()]


def _no_ids(text: str) -> str:
    kind, _, part = text.partition(":")
    if part:
        return f"{kind} lists no id that contains {part!r}"
    return f"{kind} lists no ids: it is not installed, or finds environments by other means"
