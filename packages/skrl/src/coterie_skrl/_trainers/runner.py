"""skrl's runner, which makes agents and a trainer from a YAML file."""

from __future__ import annotations

from typing import Any

from skrl.utils.runner.torch import Runner as SkrlRunner

from .dropin import ParallelTrainer, SequentialTrainer
from .step import StepTrainer

_TRAINERS: dict[str, type[Any]] = {
    "sequentialtrainer": SequentialTrainer,
    "paralleltrainer": ParallelTrainer,
    "steptrainer": StepTrainer,
}


class Runner(SkrlRunner):  # type: ignore[misc]
    """skrl's ``Runner``, whose trainers are the ones of this package.

    Args:
        env: The environment, in skrl's wrapper.
        cfg: skrl's configuration of an experiment, as its YAML files have it.
        verbose: Whether to print more.
    """

    def _component(self, name: str) -> Any:
        wanted = name.lower()
        trainer = _TRAINERS.get(wanted.removesuffix("_cfg"))
        if trainer is None:
            return super()._component(name)
        return trainer.settings_class if wanted.endswith("_cfg") else trainer
