"""The contract between a policy network's outputs and an action space."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, TypeAlias

import torch

Pull: TypeAlias = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]
"""Turns gradients of log-probabilities and entropies, ``[P, B]``, into those of outputs
``[P, B, size]`` and of the logarithms of the standard deviations ``[P, size]``."""


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

    def evaluate_with_pull(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Pull]:
        """Do what :meth:`evaluate` does, and return how to pull gradients back.

        This one leaves the work to autograd; heads may know better.
        """
        sources = [outputs.detach().requires_grad_()]
        if log_std is not None:
            sources.append(log_std.detach().requires_grad_())
        with torch.enable_grad():
            own = None if log_std is None else sources[1]
            log_prob, entropy = self.evaluate(sources[0], own, actions)

        def pull(
            of_log_prob: torch.Tensor, of_entropy: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor | None]:
            found = torch.autograd.grad((log_prob, entropy), sources, (of_log_prob, of_entropy))
            return found[0], None if log_std is None else found[1]

        return log_prob.detach(), entropy.detach(), pull

    @abc.abstractmethod
    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Turn stored actions ``[n, action_size]`` into the space's ``[n, ...]``."""

    @abc.abstractmethod
    def from_env(self, actions: Any) -> torch.Tensor:
        """Turn the space's actions ``[n, ...]`` into stored ones ``[n, action_size]``."""
