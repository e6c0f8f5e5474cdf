"""Learning rates that change."""

from __future__ import annotations

import torch

_FACTOR = 1.5


def adapt_to_kl(
    learning_rate: torch.Tensor, kl: torch.Tensor, target: torch.Tensor, low: float, high: float
) -> torch.Tensor:
    """Change learning rates so that a policy moves about as far as wanted per epoch.

    The rule of Heess et al. 2017 (arXiv:1707.02286) with a factor of 1.5 on the step size.

    Args:
        learning_rate: ``[P]``.
        kl: Divergence that the epoch led to, ``[P]``.
        target: Divergence that is wanted, ``[P]``.
        low: Smallest learning rate.
        high: Largest learning rate.

    Returns:
        New learning rates ``[P]``.
    """
    slower = torch.clamp(learning_rate / _FACTOR, min=low)
    faster = torch.clamp(learning_rate * _FACTOR, max=high)
    changed = torch.where(kl > 2 * target, slower, learning_rate)
    return torch.where((kl > 0) & (kl < target / 2), faster, changed)


def linear_decay(first: torch.Tensor, timestep: int, timesteps: int) -> torch.Tensor:
    """Let learning rates ``[P]`` fall in a straight line to 0 at the last timestep."""
    return first * max(0.0, 1 - timestep / max(1, timesteps))
