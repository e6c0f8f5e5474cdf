"""Environments for Coterie: simulators behind the contract, and torch-native ones.

Names are imported when they are first used, so that listing plugins costs no import of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._envpool.adapter import EnvPoolAdapter
    from ._envpool.env import EnvPoolEnv
    from ._gymnasium.adapter import GymnasiumAdapter
    from ._gymnasium.env import GymnasiumEnv
    from ._isaaclab.adapter import IsaacLabAdapter
    from ._isaaclab.env import IsaacLabEnv
    from ._isaaclab.team import IsaacLabTeamEnv
    from ._jax.brax import BraxAdapter
    from ._jax.env import JaxEnv
    from ._jax.playground import PlaygroundAdapter
    from ._maniskill.adapter import ManiSkillAdapter
    from ._maniskill.env import ManiSkillEnv
    from ._pettingzoo.adapter import PettingZooAdapter
    from ._pettingzoo.env import PettingZooEnv
    from ._torch.acrobot import Acrobot
    from ._torch.adapter import TorchAdapter
    from ._torch.base import TorchEnv
    from ._torch.cartpole import CartPole
    from ._torch.drawing import Capsule
    from ._torch.gridworld import GridWorld
    from ._torch.mountain_car import MountainCar, MountainCarContinuous
    from ._torch.pendulum import Pendulum
    from ._torch.simulation import Outcome, Simulation
    from ._torch.swimmer import Swimmer
    from ._torch.tiling import tile_frames
    from ._vmas.adapter import VmasAdapter
    from ._vmas.env import VmasEnv

_HOME_OF = {
    "Acrobot": "_torch.acrobot",
    "BraxAdapter": "_jax.brax",
    "Capsule": "_torch.drawing",
    "CartPole": "_torch.cartpole",
    "EnvPoolAdapter": "_envpool.adapter",
    "EnvPoolEnv": "_envpool.env",
    "GridWorld": "_torch.gridworld",
    "GymnasiumAdapter": "_gymnasium.adapter",
    "GymnasiumEnv": "_gymnasium.env",
    "IsaacLabAdapter": "_isaaclab.adapter",
    "IsaacLabEnv": "_isaaclab.env",
    "IsaacLabTeamEnv": "_isaaclab.team",
    "JaxEnv": "_jax.env",
    "ManiSkillAdapter": "_maniskill.adapter",
    "ManiSkillEnv": "_maniskill.env",
    "MountainCar": "_torch.mountain_car",
    "MountainCarContinuous": "_torch.mountain_car",
    "Outcome": "_torch.simulation",
    "Pendulum": "_torch.pendulum",
    "PettingZooAdapter": "_pettingzoo.adapter",
    "PettingZooEnv": "_pettingzoo.env",
    "PlaygroundAdapter": "_jax.playground",
    "Simulation": "_torch.simulation",
    "Swimmer": "_torch.swimmer",
    "TorchAdapter": "_torch.adapter",
    "TorchEnv": "_torch.base",
    "VmasAdapter": "_vmas.adapter",
    "VmasEnv": "_vmas.env",
    "tile_frames": "_torch.tiling",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-envs")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_envs' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = [
    "Acrobot",
    "BraxAdapter",
    "Capsule",
    "CartPole",
    "EnvPoolAdapter",
    "EnvPoolEnv",
    "GridWorld",
    "GymnasiumAdapter",
    "GymnasiumEnv",
    "IsaacLabAdapter",
    "IsaacLabEnv",
    "IsaacLabTeamEnv",
    "JaxEnv",
    "ManiSkillAdapter",
    "ManiSkillEnv",
    "MountainCar",
    "MountainCarContinuous",
    "Outcome",
    "Pendulum",
    "PettingZooAdapter",
    "PettingZooEnv",
    "PlaygroundAdapter",
    "Simulation",
    "Swimmer",
    "TorchAdapter",
    "TorchEnv",
    "VmasAdapter",
    "VmasEnv",
    "tile_frames",
]
