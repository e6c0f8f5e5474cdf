"""What DDPG and TD3 have in common: an actor without randomness, and noise on top of it."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from .._offpolicy.samples import Samples
from .gradients import descend_actor
from .learner import ContinuousLearner, outputs_of


class DeterministicLearner(ContinuousLearner):
    """Members whose actor says one action for each observation, ``tanh`` of its outputs."""

    per_member: ClassVar[tuple[str, ...]] = (*ContinuousLearner.per_member, "exploration_noise")

    cfg: Any

    def stack_settings(self) -> None:
        """Lay the settings that can change side by side."""
        super().stack_settings()
        self.exploration_noise = self.stacked("exploration_noise").view(-1, 1, 1)

    def actor_outputs(self, action_size: int) -> int:
        """Return how many outputs the actor has."""
        return action_size

    def best(self, inputs: Any) -> torch.Tensor:
        """Choose actions without noise, ``[P, N, action_size]``."""
        return outputs_of(self.networks.actor, inputs).tanh_()

    def explore(self, inputs: Any, noise: torch.Tensor) -> torch.Tensor:
        """Add noise to the actions, within their bounds.

        Args:
            inputs: Inputs ``[P, N, features]``.
            noise: Normal numbers ``[P, N, action_size]``.
        """
        width = self.exploration_noise
        return self.best(inputs).addcmul_(noise.to(self.dtype), width).clamp_(-1, 1)

    def next_actions(self, samples: Samples, noise: torch.Tensor | None) -> torch.Tensor:
        """Return what the target actor does where samples ended, ``[P, B, action_size]``."""
        return outputs_of(self.networks.target_actor, samples.next_observations).tanh_()

    def next_values(self, samples: Samples, noise: torch.Tensor | None) -> torch.Tensor:
        """Value the target actor's actions by the smallest of the target critics, ``[P, B]``."""
        actions = self.next_actions(samples, noise)
        return self.networks.target_critics.values(samples.next_states, actions).amin(1)

    @property
    def policy_delay(self) -> int:
        """Steps of the critics for each step of the actor."""
        return 1

    def improve(self, samples: Samples, noise: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Improve the actor and let all targets follow, if it is due."""
        if self.descents % self.policy_delay:
            return {}
        loss, gradient = descend_actor(
            self.networks, samples.observations, samples.states, self.scalers["actor"]
        )
        norm = self.descend("actor", gradient, loss)
        self.follow()
        return {"loss/actor": loss, "gradient_norm/actor": norm}
