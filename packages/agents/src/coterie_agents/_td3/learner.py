"""TD3 for a stack of members."""

from __future__ import annotations

from typing import ClassVar

import torch

from .._continuous.deterministic import DeterministicLearner
from .._continuous.losses import smoothed
from .._offpolicy.samples import Samples
from .cfg import TD3Cfg


class TD3Learner(DeterministicLearner):
    """``P`` TD3 members: twin critics, smoothed targets, delayed actors.

    Args:
        arguments: Those of :class:`~coterie_agents.Learner`.
    """

    kind: ClassVar[str] = "td3"
    per_member: ClassVar[tuple[str, ...]] = (
        *DeterministicLearner.per_member,
        "target_noise",
        "target_noise_clip",
    )
    update_draws: ClassVar[int] = 1

    cfg: TD3Cfg

    def stack_settings(self) -> None:
        """Lay the settings that can change side by side."""
        super().stack_settings()
        self.target_noise = self.stacked("target_noise")
        self.target_noise_clip = self.stacked("target_noise_clip")

    @property
    def policy_delay(self) -> int:
        """Steps of the critics for each step of the actor."""
        return self.cfg.policy_delay

    def next_actions(self, samples: Samples, noise: torch.Tensor | None) -> torch.Tensor:
        """Return the target actor's actions with clipped noise, ``[P, B, action_size]``."""
        assert noise is not None
        actions = super().next_actions(samples, noise)
        return smoothed(actions, noise[:, 0], self.target_noise, self.target_noise_clip)
