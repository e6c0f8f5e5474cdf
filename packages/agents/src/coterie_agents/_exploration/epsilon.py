"""Epsilon-greedy exploration."""

from __future__ import annotations

import torch


def epsilon_greedy(
    best: torch.Tensor, uniforms: torch.Tensor, epsilon: torch.Tensor, actions: int
) -> torch.Tensor:
    """Replace some of the best actions by random ones.

    Args:
        best: int64 ``[P, N]``.
        uniforms: Numbers of ``[0, 1)``, float64 ``[P, N, 2]``: whether, and which.
        epsilon: Probability of each member, ``[P]``.
        actions: Number of actions.

    Returns:
        int64 ``[P, N]``.
    """
    drawn = (uniforms[..., 1] * actions).long()
    return torch.where(uniforms[..., 0] < epsilon.unsqueeze(1), drawn, best)
