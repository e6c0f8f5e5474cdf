"""Reinforcement-learning agents, each written once with a leading population axis.

Names are imported when they are first used, so that the plugin can be listed without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._learning.agent import LearnerAgent
    from ._learning.errors import NonFiniteLoss
    from ._learning.interface import Learner
    from ._models.cfg import ModelCfg
    from ._optim.adam import PopulationAdam
    from ._ppo.agent import PPO
    from ._ppo.cfg import PPOCfg
    from ._ppo.learner import PPOLearner
    from ._ppo.losses import ppo_losses
    from ._ppo.returns import gae
    from ._preprocessors.scaler import RunningStandardScaler

_HOME_OF = {
    "Learner": "_learning.interface",
    "LearnerAgent": "_learning.agent",
    "ModelCfg": "_models.cfg",
    "NonFiniteLoss": "_learning.errors",
    "PPO": "_ppo.agent",
    "PPOCfg": "_ppo.cfg",
    "PPOLearner": "_ppo.learner",
    "PopulationAdam": "_optim.adam",
    "RunningStandardScaler": "_preprocessors.scaler",
    "gae": "_ppo.returns",
    "ppo_losses": "_ppo.losses",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-agents")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_agents' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = [
    "PPO",
    "Learner",
    "LearnerAgent",
    "ModelCfg",
    "NonFiniteLoss",
    "PPOCfg",
    "PPOLearner",
    "PopulationAdam",
    "RunningStandardScaler",
    "gae",
    "ppo_losses",
]
