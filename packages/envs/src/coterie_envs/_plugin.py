"""What this package offers: two kinds of environments. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coterie.plugins import EnvPlugin, hookimpl


def _gymnasium() -> type[Any]:
    from ._gymnasium.adapter import GymnasiumAdapter

    return GymnasiumAdapter


def _torch() -> type[Any]:
    from ._torch.adapter import TorchAdapter

    return TorchAdapter


def _is_gymnasium(env: Any) -> bool:
    return any(
        cls.__module__.partition(".")[0] == "gymnasium" and cls.__name__ in ("Env", "VectorEnv")
        for cls in type(env).__mro__
    )


@hookimpl
def coterie_envs() -> Iterable[EnvPlugin]:
    """Offer gymnasium's environments and the torch-native ones."""
    yield EnvPlugin(
        name="gymnasium",
        summary="every environment that gymnasium knows, by its id",
        loader=_gymnasium,
        recognises=_is_gymnasium,
    )
    yield EnvPlugin(
        name="torch",
        summary="vectorised environments written in torch, on any device",
        loader=_torch,
    )
