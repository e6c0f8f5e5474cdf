"""The contract between a policy network's outputs and an action space."""

from __future__ import annotations

import abc
from typing import Any

import torch


class Head(abc.ABC):
    """A family of distributions over actions, for stacked members.

    Noise is drawn apart from the policy, for many timesteps at once; :meth:`sample` is a
    deterministic function of outputs and noise.

    Attributes:
        size: Outputs that the policy network needs.
        noise_size: Random numbers that one sample needs.
        action_size: Numbers in one stored action.
        action_dtype: Type of stored actions.
        learns_log_std: Whether a logarithm of standard deviations ``[P, size]`` belongs to it.
        note: What the policy's outputs mean, for messages.
    """

    size: int
    noise_size: int
    action_size: int
    action_dtype: torch.dtype
    learns_log_std: bool = False
    note: str

    @abc.abstractmethod
    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Draw noise ``[*shape, noise_size]`` (float32, on the generator's device)."""

    @abc.abstractmethod
    def sample(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, noise: torch.Tensor
    ) -> torch.Tensor:
        """Turn outputs ``[P, B, size]`` and noise ``[P, B, noise_size]`` into actions.

        Returns:
            ``[P, B, action_size]`` of :attr:`action_dtype`.
        """

    @abc.abstractmethod
    def mode(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the most probable actions ``[P, B, action_size]``."""

    @abc.abstractmethod
    def evaluate(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities of actions and entropies, ``[P, B]`` each."""

    @abc.abstractmethod
    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Turn stored actions ``[n, action_size]`` into the space's ``[n, ...]``."""

    @abc.abstractmethod
    def from_env(self, actions: Any) -> torch.Tensor:
        """Turn the space's actions ``[n, ...]`` into stored ones ``[n, action_size]``."""
