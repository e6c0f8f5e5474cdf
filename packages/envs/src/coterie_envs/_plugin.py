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
        name="brax",
        summary="Brax's environments, compiled by JAX",
        loader=_load("_jax.brax", "BraxAdapter"),
        recognises=_recognise.is_brax,
        needs=("brax", "jax"),
        install='pip install "coterie-envs[brax]"',
    )
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
        name="isaaclab",
        summary="Isaac Lab's environments, for one agent and for teams, on an NVIDIA GPU",
        loader=_load("_isaaclab.adapter", "IsaacLabAdapter"),
        recognises=_recognise.is_isaaclab,
        needs=("isaaclab", "isaaclab_tasks"),
        install='pip install "isaaclab[isaacsim,all]" --extra-index-url https://pypi.nvidia.com',
    )
    yield EnvPlugin(
        name="maniskill",
        summary="ManiSkill's robot manipulation, many instances on a GPU",
        loader=_load("_maniskill.adapter", "ManiSkillAdapter"),
        recognises=_recognise.is_maniskill,
        needs=("mani_skill",),
        install='pip install "coterie-envs[maniskill]"',
    )
    yield EnvPlugin(
        name="pettingzoo",
        summary="PettingZoo's environments for teams: MPE2, SISL and your own",
        loader=_load("_pettingzoo.adapter", "PettingZooAdapter"),
        recognises=_recognise.is_pettingzoo,
        needs=("pettingzoo",),
        install='pip install "coterie-envs[pettingzoo]"',
    )
    yield EnvPlugin(
        name="playground",
        summary="MuJoCo Playground's environments, compiled by JAX",
        loader=_load("_jax.playground", "PlaygroundAdapter"),
        recognises=_recognise.is_playground,
        needs=("mujoco_playground", "jax"),
        install='pip install "coterie-envs[playground]"',
    )
    yield EnvPlugin(
        name="torch",
        summary="vectorised environments written in torch, on any device",
        loader=_load("_torch.adapter", "TorchAdapter"),
    )
    yield EnvPlugin(
        name="vmas",
        summary="VMAS: teams in physics written in torch, many instances on any device",
        loader=_load("_vmas.adapter", "VmasAdapter"),
        recognises=_recognise.is_vmas,
        needs=("vmas",),
        install='pip install "coterie-envs[vmas]"',
    )
