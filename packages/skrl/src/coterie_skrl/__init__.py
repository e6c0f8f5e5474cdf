"""skrl's agents, models and wrapped environments under Coterie's trainers.

.. code-block:: python

    from coterie_skrl import ParallelTrainer  # instead of skrl.trainers.torch

Names are imported when they are first used: listing plugins costs neither torch nor skrl.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skrl.trainers.torch import ParallelTrainerCfg, SequentialTrainerCfg, StepTrainerCfg

    from ._agents.agent import SkrlAgent
    from ._agents.cfg import SkrlCfg
    from ._agents.team import SkrlTeam
    from ._envs.env import SkrlEnv
    from ._envs.team_env import SkrlTeamEnv
    from ._files.transfer import from_skrl, to_skrl
    from ._trainers.dropin import DropIn, ParallelTrainer, SequentialTrainer
    from ._trainers.population import adapt
    from ._trainers.runner import Runner
    from ._trainers.step import StepTrainer

_HOME_OF = {
    "DropIn": "._trainers.dropin",
    "ParallelTrainer": "._trainers.dropin",
    "ParallelTrainerCfg": "skrl.trainers.torch",
    "Runner": "._trainers.runner",
    "SequentialTrainer": "._trainers.dropin",
    "SequentialTrainerCfg": "skrl.trainers.torch",
    "SkrlAgent": "._agents.agent",
    "SkrlCfg": "._agents.cfg",
    "SkrlEnv": "._envs.env",
    "SkrlTeam": "._agents.team",
    "SkrlTeamEnv": "._envs.team_env",
    "StepTrainer": "._trainers.step",
    "StepTrainerCfg": "skrl.trainers.torch",
    "adapt": "._trainers.population",
    "from_skrl": "._files.transfer",
    "to_skrl": "._files.transfer",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-skrl")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_skrl' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = [
    "DropIn",
    "ParallelTrainer",
    "ParallelTrainerCfg",
    "Runner",
    "SequentialTrainer",
    "SequentialTrainerCfg",
    "SkrlAgent",
    "SkrlCfg",
    "SkrlEnv",
    "SkrlTeam",
    "SkrlTeamEnv",
    "StepTrainer",
    "StepTrainerCfg",
    "adapt",
    "from_skrl",
    "to_skrl",
]
