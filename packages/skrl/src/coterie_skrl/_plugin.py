"""What this distribution offers to the registry. Imports neither torch nor skrl."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import EnvPlugin, hookimpl

from ._envs.recognise import is_wrapper


def _adapter() -> type[Any]:
    from ._envs.adapter import SkrlAdapter

    return SkrlAdapter


@hookimpl
def coterie_envs() -> Iterable[EnvPlugin]:
    """Offer environments in skrl's wrappers."""
    yield EnvPlugin(
        name="skrl",
        summary="environments that skrl's wrap_env wrapped, and gymnasium's in its wrapper",
        loader=_adapter,
        recognises=is_wrapper,
        needs=("skrl",),
        install="pip install coterie-skrl",
    )
