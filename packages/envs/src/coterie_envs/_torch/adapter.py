"""``"torch:…"`` ids."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from coterie import ConfigError, EnvAdapter
from coterie.config import did_you_mean

from .._checks import check_settings
from .acrobot import Acrobot
from .base import TorchEnv
from .cartpole import CartPole
from .gridworld import GridWorld
from .mountain_car import MountainCar, MountainCarContinuous
from .pendulum import Pendulum
from .swimmer import Swimmer

_KINDS: tuple[type[TorchEnv], ...] = (
    Acrobot,
    CartPole,
    GridWorld,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
    Swimmer,
)
_CLASSES = {cls.id: cls for cls in _KINDS}


class TorchAdapter(EnvAdapter):
    """Makes the torch-native environments by id."""

    def make(
        self,
        env_id: str,
        *,
        num_envs: int = 1,
        seed: int | None = None,
        device: str = "cpu",
        **settings: Any,
    ) -> TorchEnv:
        """Make a torch-native environment.

        Args:
            env_id: One of :meth:`ids`.
            num_envs: Number of instances, at least 1.
            seed: Seed that the first reset without one starts from.
            device: Where the tensors live; it must know float64.
            settings: ``max_episode_steps``, ``render_mode``, ``render_height`` and what the
                environment's class takes.

        Raises:
            ConfigError: There is no such id or setting (with near ones), or a value is wrong.
        """
        cls = _CLASSES.get(env_id)
        if cls is None:
            known = ", ".join(self.ids())
            raise ConfigError(
                f"torch has no environment {env_id!r}{did_you_mean(env_id, self.ids())} "
                f"(it has: {known})"
            )
        check_settings(settings, _settings(cls), f"torch:{env_id}")
        return cls(num_envs, seed=seed, device=device, **settings)

    def ids(self) -> Sequence[str]:
        """List the ids, sorted."""
        return sorted(_CLASSES)


def _settings(cls: type[TorchEnv]) -> set[str]:
    """Names that a class and its bases take beside what every environment is made with."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    names = {
        parameter.name
        for base in cls.__mro__
        if "__init__" in vars(base)
        for parameter in inspect.signature(vars(base)["__init__"]).parameters.values()
        if parameter.kind is keyword
    }
    return names - {"seed", "device"}
