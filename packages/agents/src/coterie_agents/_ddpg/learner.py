"""DDPG for a stack of members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from coterie import Transition

from .._continuous.deterministic import DeterministicLearner
from .._exploration.noise import OrnsteinUhlenbeckNoise
from .cfg import DDPGCfg


class DDPGLearner(DeterministicLearner):
    """``P`` DDPG members: one critic each, targets of actor and critic.

    Args:
        arguments: Those of :class:`~coterie_agents.Learner`.

    Attributes:
        drift: Ornstein-Uhlenbeck noise; ``None``: the noise is Gaussian, or nothing allocated.
    """

    kind: ClassVar[str] = "ddpg"
    per_member: ClassVar[tuple[str, ...]] = (*DeterministicLearner.per_member, "noise_reversion")
    critics: ClassVar[int] = 1

    cfg: DDPGCfg

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.drift: OrnsteinUhlenbeckNoise | None = None

    def stack_settings(self) -> None:
        """Lay the settings that can change side by side."""
        super().stack_settings()
        self.noise_reversion = self.stacked("noise_reversion")

    def allocate(self, num_envs: int) -> None:
        """Get a memory and noise for ``num_envs`` instances per member; keeps what fits."""
        super().allocate(num_envs)
        if self.cfg.noise == "gaussian":
            return
        if self.drift is None or self.drift.value.shape[1] != num_envs:
            size = self.population, num_envs, self.unit.size
            self.drift = OrnsteinUhlenbeckNoise(*size, dtype=self.dtype, device=self.device)

    def explore(self, inputs: Any, noise: torch.Tensor) -> torch.Tensor:
        """Add noise to the actions, within their bounds; in evaluation it does not drift.

        Args:
            inputs: Inputs ``[P, N, features]``.
            noise: Normal numbers ``[P, N, action_size]``.
        """
        if self.drift is None or not self.networks.actor.network.training:
            return super().explore(inputs, noise)
        return self.best(inputs).add_(self._drifted(self.drift, noise)).clamp_(-1, 1)

    def _drifted(self, drift: OrnsteinUhlenbeckNoise, noise: torch.Tensor) -> torch.Tensor:
        deviation = self.exploration_noise.view(-1)
        return drift.next(noise.to(self.dtype), deviation, self.noise_reversion)

    def recorded(self, transition: Transition) -> None:
        """Let the noise go on, or start anew where an episode ended."""
        if self.drift is None or self.noise is None or self.steps < self.cfg.random_timesteps:
            return
        self._drifted(self.drift, self.noise.current())
        self.drift.advance(transition.done)

    def cut(self) -> None:
        """Treat the last recorded timestep as truncated; the noise starts anew."""
        super().cut()
        if self.drift is not None:
            self.drift.advance(torch.ones_like(self.drift.value[..., 0], dtype=torch.bool))

    def own_state(self, member: int) -> dict[str, Any]:
        """Return a member's weights, moments and drifting noise ``[N, A]``, as copies."""
        drift = None if self.drift is None else self.drift.value[member].clone()
        return super().own_state(member) | {"drift": drift}

    def load_own_state(self, state: Mapping[str, Any], member: int) -> None:
        """Take over what :meth:`own_state` returned.

        Noise of another number of instances starts anew.
        """
        super().load_own_state(state, member)
        if self.drift is not None:
            given, own = state["drift"], self.drift.value[member]
            fits = given is not None and given.shape == own.shape
            self.drift.load({"value": given if fits else torch.zeros_like(own)}, member)
