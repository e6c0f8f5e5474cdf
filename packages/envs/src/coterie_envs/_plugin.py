"""What this package offers: kinds of environments. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from coterie.plugins import EnvPlugin, hookimpl

from . import _recognise


def _load(module: str, name: str) -> Callable[[], type[Any]]:
    def load() -> type[Any]:
        found: type[Any] = getattr(import_module(f".{module}", __package__), name)
        return found

    return load


@hookimpl
def coterie_envs() -> Iterable[EnvPlugin]:
    """Offer simulators, and the torch-native environments."""
    yield EnvPlugin(
        name="envpool",
        summary="EnvPool's environments, stepped in threads: classic control, MuJoCo, Atari, …",
        loader=_load("_envpool.adapter", "EnvPoolAdapter"),
        recognises=_recognise.is_envpool,
        needs=("envpool",),
        install='pip install "coterie-envs[envpool]"',
    )
    yield EnvPlugin(
        name="gymnasium",
        summary="every environment that gymnasium knows, by its id",
        loader=_load("_gymnasium.adapter", "GymnasiumAdapter"),
        recognises=_recognise.is_gymnasium,
        needs=("gymnasium",),
        install="pip install gymnasium",
    )
    yield EnvPlugin(
        name="torch",
        summary="vectorised environments written in torch, on any device",
        loader=_load("_torch.adapter", "TorchAdapter"),
    )
