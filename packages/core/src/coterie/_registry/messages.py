"""Why a name was not found, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from .._nearest import did_you_mean
from .entries import FailedPlugin, Source
from .nouns import NOUNS, first_party_names, home_of


def not_found(
    noun: str,
    name: str,
    known: Sequence[str],
    failed: Sequence[FailedPlugin],
    disabled: Sequence[Source],
) -> str:
    """Compose the message for a name that nobody offers.

    Args:
        noun: What was asked for.
        name: Its name.
        known: The names that are installed.
        failed: Plugins that were not loaded.
        disabled: Plugins that ``COTERIE_DISABLE_PLUGINS`` leaves out.
    """
    lines = [f"there is no {noun} {name!r}{_what_to_do(noun, name, known)}"]
    plural = NOUNS[noun].plural
    lines.append(f"installed {plural}: {', '.join(known) if known else 'none'}")
    if disabled:
        names = ", ".join(f"{source.plugin!r} ({source})" for source in disabled)
        lines.append(f"left out by COTERIE_DISABLE_PLUGINS: {names}")
    lines += [str(failure) for failure in failed]
    return "\n  ".join(lines)


def _what_to_do(noun: str, name: str, known: Sequence[str]) -> str:
    home = home_of(noun, name)
    if home is None:
        hint = did_you_mean(name, [*known, *first_party_names(noun)])
        near = hint.split("'")[1] if hint else ""
        return hint + (_install(noun, near) if near and near not in known else "")
    return _install(noun, name)


def _install(noun: str, name: str) -> str:
    home = home_of(noun, name) or ""
    try:
        version = metadata.version(home)
    except metadata.PackageNotFoundError:
        return f"; install it with: pip install {home}"
    return f"; {home} {version} is installed but does not offer it"
