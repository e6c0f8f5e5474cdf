"""One team in front of a learner."""

from __future__ import annotations

from typing import Any

import torch

from coterie import MultiAgent, Transition

from .._learning.agent import LearnerAgent
from .learner import TeamLearner


class LearnerTeam(LearnerAgent, MultiAgent):
    """A team whose algorithm is a :class:`TeamLearner`; here the learner has one team.

    The arguments are those of :class:`~coterie.MultiAgent`, and ``models``: your own ``policy``
    and ``value`` modules, which all actors share.

    Raises:
        ConfigError: The settings, a space or a module can't be used, or the spaces are not by
            actor.
    """

    _learner: TeamLearner

    @property
    def learning_rates(self) -> dict[str, float]:
        """The learning rates now, by the name of the first actor that the networks act for."""
        return {
            name: float(rate)
            for learner in self._learner.groups
            for name, rate in zip(
                learner.group.names, learner.optimizer.learning_rate.tolist(), strict=True
            )
        }

    def check_scope(self, num_envs: int) -> None:
        """Check that the team can learn from ``num_envs`` instances.

        Raises:
            ConfigError: A rollout has fewer samples than there are mini-batches.
        """
        self._learner.check_instances(num_envs)

    def act(  # type: ignore[override]
        self,
        observations: Any,
        *,
        states: Any = None,
        timestep: int = 0,
        timesteps: int = 0,
        deterministic: bool = False,
    ) -> dict[str, torch.Tensor]:
        """Choose actions for all actors.

        Args:
            observations: By actor, tensors ``[num_envs, ...]``.
            states: Not used: policies see observations only.
            timestep: Timestep from 0.
            timesteps: Number of timesteps in all.
            deterministic: Whether to return the best actions; nothing is drawn then.

        Returns:
            Actions ``[num_envs, ...]`` by actor.
        """
        found: Any = super().act(
            observations,
            states=states,
            timestep=timestep,
            timesteps=timesteps,
            deterministic=deterministic,
        )
        actions: dict[str, torch.Tensor] = found
        return actions

    def record_transition(
        self, transition: Transition[Any], *, timestep: int = 0, timesteps: int = 0
    ) -> None:
        """Remember what the last actions led to, of actors that are there."""
        super().record_transition(transition, timestep=timestep, timesteps=timesteps)
