"""Versions of Python and of what is installed."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping

from .._registry.nouns import FIRST_PARTY
from .._runs.directory import installed_versions
from .finding import Finding

_OTHERS = ("torch", "numpy", "gymnasium")


def check_python() -> Finding:
    """Tell which Python runs this, on which system."""
    return Finding(
        section="versions",
        name="python",
        value=f"{platform.python_version()} ({sys.executable}), {platform.platform(terse=True)}",
        facts={
            "python": platform.python_version(),
            "executable": sys.executable,
            "platform": platform.platform(),
        },
    )


def check_packages(versions: Mapping[str, str] | None = None) -> Finding:
    """Check that Coterie's own distributions have one version.

    Args:
        versions: Version of each that is installed; ``None``: they are looked up.
    """
    found = installed_versions(sorted(FIRST_PARTY)) if versions is None else dict(versions)
    distinct = sorted(set(found.values()))
    if len(distinct) == 1:
        return Finding(
            section="versions",
            name="coterie",
            value=f"{distinct[0]}: {', '.join(_short(name) for name in found)}",
            facts=dict(found),
        )
    if not found:
        return Finding(
            section="versions",
            name="coterie",
            value="not installed as a distribution",
            verdict="note",
            advice="plugins are found by their installed distributions: pip install coterie",
        )
    newest = found.get("coterie-core", distinct[-1])
    wanted = " ".join(f"{name}=={newest}" for name in found)
    return Finding(
        section="versions",
        name="coterie",
        value=", ".join(f"{name} {version}" for name, version in found.items()),
        verdict="problem",
        advice=f"the distributions belong together: pip install {wanted}",
        facts=dict(found),
    )


def check_libraries() -> Finding:
    """Tell the versions of what everything is built on."""
    found = installed_versions(_OTHERS)
    return Finding(
        section="versions",
        name="libraries",
        value=", ".join(f"{name} {version}" for name, version in found.items()),
        facts=dict(found),
    )


def _short(name: str) -> str:
    return name.removeprefix("coterie-") if name != "coterie" else "coterie"
