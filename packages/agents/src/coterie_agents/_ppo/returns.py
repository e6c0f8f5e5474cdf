"""Advantages and returns of a rollout."""

from __future__ import annotations

import torch


def gae(
    rewards: torch.Tensor,
    values: torch.Tensor,
    next_values: torch.Tensor,
    terminated: torch.Tensor,
    truncated: torch.Tensor,
    discount_factor: torch.Tensor,
    gae_lambda: torch.Tensor,
    valid: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Estimate advantages (Schulman et al. 2016, arXiv:1506.02438, equations 11 to 16).

    ``next_values[t]`` is the value of the observation that step ``t`` truly ended in, so a
    truncated step bootstraps from it like any other; only the sum over later steps stops.

    Args:
        rewards: ``[T, P, N]``.
        values: Values of the observations that were acted on, ``[T, P, N]``.
        next_values: Values of the observations that the steps ended in, ``[T, P, N]``.
        terminated: bool ``[T, P, N]``: the value behind this step is 0.
        truncated: bool ``[T, P, N]``: the next row belongs to another episode.
        discount_factor: Gamma of each member, ``[P]``.
        gae_lambda: Lambda of each member, ``[P]``.
        valid: bool ``[T, P, N]``: ``False`` for rows that are no experience; their advantage
            is 0 and nothing flows through them. ``None``: all are.

    Returns:
        Advantages and returns (advantages + values), ``[T, P, N]`` each.
    """
    gamma, decay = discount_factor[:, None], gae_lambda[:, None]
    zero = torch.zeros((), dtype=values.dtype, device=values.device)
    deltas = rewards + gamma * torch.where(terminated, zero, next_values) - values
    carry = torch.where(terminated | truncated, zero, (gamma * decay).expand_as(values))
    if valid is not None:
        deltas = torch.where(valid, deltas, zero)
        carry = torch.where(valid, carry, zero)
    advantages = torch.empty_like(deltas)
    rows = list(zip(deltas.unbind(0), carry.unbind(0), advantages.unbind(0), strict=True))
    later = torch.zeros_like(values[0])
    for delta, weight, row in reversed(rows):
        later = torch.addcmul(delta, weight, later, out=row)
    return advantages, advantages + values
