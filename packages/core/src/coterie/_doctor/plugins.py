"""Plugins that failed, and extras that could be installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from .._registry.manager import registry
from .._registry.nouns import FIRST_PARTY
from .finding import Finding

_DISABLE = "COTERIE_DISABLE_PLUGINS"


def check_plugins() -> Iterator[Finding]:
    """Judge the plugins of this process's registry."""
    yield from judge_plugins(registry().listing())


def judge_plugins(listing: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Finding]:
    """Judge what the registry holds.

    Args:
        listing: As :meth:`Registry.listing` gives it.
    """
    nouns = ("trainers", "agents", "environments", "loggers", "controllers")
    counts = {noun: len(listing[noun]) for noun in nouns}
    yield Finding(
        section="plugins",
        name="offered",
        value=", ".join(f"{count} {noun}" for noun, count in counts.items()),
        facts={noun: [row["name"] for row in listing[noun]] for noun in nouns},
    )
    for row in listing["failed"]:
        source = f"{row['distribution']} {row['version']}".strip()
        yield Finding(
            section="plugins",
            name=f"{row['plugin']} ({source})",
            value=f"failed: {row['reason']}",
            verdict="problem",
            advice=f"upgrade or reinstall {row['distribution']}, or leave it out with "
            f"{_DISABLE}={row['distribution']}; its traceback: coterie plugins --debug",
            facts=dict(row),
        )
    for row in listing["duplicates"]:
        names = [source["distribution"] for source in row["offered_by"]]
        kept = f"that of {row['kept']} is kept" if row["kept"] else "none can be used"
        yield Finding(
            section="plugins",
            name=f"{row['noun']} {row['name']}",
            value=f"offered by {' and '.join(names)}; {kept}",
            verdict="note" if row["kept"] else "problem",
            advice=f"uninstall one of {', '.join(names)}, or leave one out with {_DISABLE}=NAME",
            facts=dict(row),
        )
    if listing["disabled"]:
        names = [row["distribution"] for row in listing["disabled"]]
        yield Finding(
            section="plugins",
            name="left out",
            value=f"{', '.join(names)}, by {_DISABLE}",
            verdict="note",
            facts={"disabled": names},
        )


def check_extras(distributions: Sequence[str] | None = None) -> Iterator[Finding]:
    """Tell which extras of Coterie's distributions are installed, and which could be.

    Args:
        distributions: Names of distributions; ``None``: those of Coterie.
    """
    for name in sorted(FIRST_PARTY) if distributions is None else distributions:
        try:
            about = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        extras = about.metadata.get_all("Provides-Extra") or []
        here = [extra for extra in extras if not missing(about.requires or (), extra)]
        rest = [extra for extra in extras if extra not in here]
        texts = [f"installed: {', '.join(here)}"] if here else []
        texts += [f'could be: pip install "{name}[{",".join(rest)}]"'] if rest else []
        if texts:
            yield Finding(
                section="plugins",
                name=f"extras of {name}",
                value="; ".join(texts),
                facts={"installed": here, "missing": rest},
            )


def missing(requires: Sequence[str], extra: str) -> list[str]:
    """List what an extra needs and is not installed.

    Args:
        requires: Requirements of a distribution, as its metadata gives them.
        extra: Name of the extra.
    """
    lacking = []
    for text in requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        marker = wanted.marker
        if marker is None or marker.evaluate({"extra": ""}):
            continue  # needed without the extra too
        if marker.evaluate({"extra": extra}) and not _installed(wanted):
            lacking.append(wanted.name)
    return lacking


def _installed(wanted: Requirement) -> bool:
    try:
        about = metadata.distribution(wanted.name)
        if not wanted.specifier.contains(about.version, prereleases=True):
            return False
        inner = about.requires or ()
    except metadata.PackageNotFoundError:
        return False
    return not any(missing(inner, extra) for extra in wanted.extras)
