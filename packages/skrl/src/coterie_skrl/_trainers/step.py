"""skrl's step trainer."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from attrs import evolve
from skrl.trainers.torch import StepTrainerCfg

import coterie
from coterie import Transition

from .._agents.adapted import Adapted
from .dropin import DropIn


class StepTrainer(DropIn):
    """skrl's ``StepTrainer``, with Coterie's ``step`` at work; see :class:`DropIn`."""

    kind: ClassVar[str] = "step"
    settings_class: ClassVar[type[Any]] = StepTrainerCfg
    trainer: coterie.StepTrainer

    def train(  # type: ignore[override]
        self, timestep: int | None = None, timesteps: int | None = None
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Train for one timestep.

        Args:
            timestep: Not used: timesteps count themselves.
            timesteps: Number of timesteps of the run, read when a run begins; ``None``: the
                configuration's.

        Returns:
            Observations ``[num_envs, size]`` that the step ended in, rewards ``[num_envs, 1]``,
            terminated and truncated (bool ``[num_envs, 1]``), and infos; dicts by actor for teams.
        """
        self._set_length(timesteps)
        return self._told(self.trainer.train())

    def eval(  # type: ignore[override]
        self, timestep: int | None = None, timesteps: int | None = None
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Evaluate for one timestep; arguments and result as for :meth:`train`."""
        self._set_length(timesteps)
        return self._told(self.trainer.eval())

    def reset(self) -> None:
        """End the run that is under way."""
        self.trainer.finish()

    def _set_length(self, timesteps: int | None) -> None:
        if timesteps is not None and not self.trainer.under_way:
            self.trainer.cfg = evolve(self.trainer.cfg, timesteps=timesteps)

    def _told(self, step: Transition[Any]) -> tuple[Any, Any, Any, Any, Any]:
        member = self.trainer.members[0].agent
        if isinstance(member, Adapted):
            observations, _ = member.flat(step.next_observations, None)
        else:
            observations = step.next_observations
        outcome = (_column(part) for part in (step.rewards, step.terminated, step.truncated))
        return observations, *outcome, step.infos


def _column(values: torch.Tensor | dict[str, torch.Tensor]) -> Any:
    if isinstance(values, dict):
        return {actor: part.unsqueeze(-1) for actor, part in values.items()}
    return values.unsqueeze(-1)
