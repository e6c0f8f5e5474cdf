"""Which modules that something needs are not installed. None is imported to find out."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec


def missing_modules(needs: Sequence[str]) -> list[str]:
    """List the modules of ``needs`` that are not installed."""
    return [module for module in needs if not _is_installed(module)]


def _is_installed(module: str) -> bool:
    """Whether a module can be found; neither it nor its parents are imported."""
    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False
