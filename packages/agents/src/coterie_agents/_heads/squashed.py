"""Normally distributed numbers, squashed by tanh: the policy of soft actor-critic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch

Pull: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Turns gradients of actions ``[P, B, action_size]`` and log-densities ``[P, B, 1]`` (or one for
all samples, ``[P, 1, 1]``) into that of the network's outputs ``[P, B, size]``."""

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_LOG_2 = math.log(2)

LOG_STD_MIN = -20.0
LOG_STD_MAX = 2.0
"""Bounds of the logarithm of the standard deviation, those of the authors' implementation."""


class SquashedGaussian:
    """Means and logarithms of standard deviations from the network; actions from -1 to 1.

    An action is ``a = tanh(u)`` with ``u`` normally distributed in every dimension
    (Haarnoja et al. 2018, arXiv:1812.05905, appendix C).

    Args:
        action_size: Numbers in one action.

    Attributes:
        size: Outputs that the policy network needs: the means, then the logarithms of the
            standard deviations, which are cut to ``[-20, 2]``.
        action_size: Numbers in one action.
    """

    def __init__(self, action_size: int) -> None:
        self.action_size = action_size
        self.size = 2 * action_size

    def mode(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the squashed means ``[P, B, action_size]``."""
        return outputs[..., : self.action_size].tanh()

    def sample(self, outputs: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Choose actions.

        Args:
            outputs: What the network gave, ``[P, B, size]``.
            noise: Standard normal numbers ``[P, B, action_size]``.

        Returns:
            Actions from -1 to 1, ``[P, B, action_size]``.
        """
        mean, log_std = self._split(outputs)
        return torch.addcmul(mean, log_std.exp(), noise).tanh()

    def sample_with_log_prob(
        self, outputs: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Choose actions and tell their log-densities, differentiable in the outputs.

        The logarithm of tanh's slope is written ``2 (log 2 - u - softplus(-2 u))``, which stays
        exact where ``1 - tanh(u)**2`` rounds to 0.

        Args:
            outputs: What the network gave, ``[P, B, size]``.
            noise: Standard normal numbers ``[P, B, action_size]``.

        Returns:
            Actions from -1 to 1, ``[P, B, action_size]``, and log-densities ``[P, B]``.
        """
        mean, log_std = self._split(outputs)
        before = torch.addcmul(mean, log_std.exp(), noise)
        log_slope = 2 * (_LOG_2 - before - torch.nn.functional.softplus(-2 * before))
        normal = -0.5 * noise.square() - log_std - _HALF_LOG_TAU
        return before.tanh(), (normal - log_slope).sum(-1)

    def sample_with_pull(
        self, outputs: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Pull]:
        """Do what :meth:`sample_with_log_prob` does, and return how to pull gradients back.

        With ``a = tanh(u)``, ``u = mean + std noise``: tanh has the slope ``1 - a**2``, and
        the log-density ``2 a`` in u and, where the spread is within its bounds, -1 beside
        that in the logarithm of std.
        """
        actions, log_prob = self.sample_with_log_prob(outputs, noise)
        raw = outputs[..., self.action_size :]

        def pull(of_actions: torch.Tensor, of_log_prob: torch.Tensor) -> torch.Tensor:
            through = of_actions * (1 - actions.square())
            of_mean = torch.addcmul(through, actions, of_log_prob, value=2)
            spread = raw.clamp(LOG_STD_MIN, LOG_STD_MAX)
            of_log_std = of_mean * noise * spread.exp() - of_log_prob
            of_log_std = torch.where(raw == spread, of_log_std, 0.0)
            return torch.cat([of_mean, of_log_std], dim=-1)

        return actions, log_prob, pull

    def _split(self, outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_std = outputs.split_with_sizes([self.action_size] * 2, dim=-1)
        return mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)
