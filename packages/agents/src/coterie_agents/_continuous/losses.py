"""Targets and losses of DDPG, TD3 and SAC, one number per member."""

from __future__ import annotations

import torch


def td_targets(
    rewards: torch.Tensor, next_values: torch.Tensor, discounts: torch.Tensor
) -> torch.Tensor:
    """Compute ``y = r + d V(s')`` (Lillicrap et al. 2016, algorithm 1).

    Args:
        rewards: ``[P, B]``; of samples over several steps, their discounted sum.
        next_values: Values of what the samples ended in, ``[P, B]``.
        discounts: Factor of what comes behind, 0 behind a terminal state, ``[P, B]``.

    Returns:
        ``[P, B]``.
    """
    # What is behind a terminal state must not count even where it is infinite.
    return torch.addcmul(rewards, discounts, next_values.masked_fill(discounts == 0, 0.0))


def smoothed(
    actions: torch.Tensor, noise: torch.Tensor, std: torch.Tensor, clip: torch.Tensor
) -> torch.Tensor:
    """Add clipped noise to the target policy's actions (Fujimoto et al. 2018, section 5.3).

    Args:
        actions: From -1 to 1, ``[P, B, action_size]``.
        noise: Standard normal numbers ``[P, B, action_size]``.
        std: Standard deviation of each member's noise, ``[P]``.
        clip: Largest size of each member's noise, ``[P]``.

    Returns:
        Actions from -1 to 1, ``[P, B, action_size]``.
    """
    width = clip.view(-1, 1, 1)
    added = (noise * std.view(-1, 1, 1)).clamp(-width, width)
    return (actions + added).clamp_(-1, 1)


def critic_losses(
    values: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean squared errors of a member's critics, added up (Fujimoto et al. 2018, algorithm 1).

    Args:
        values: What the critics give, ``[P, K, B]``.
        targets: ``[P, B]``; no gradient flows into them.
        weights: Importance weights of the samples, ``[P, B]``; ``None``: all 1.

    Returns:
        ``[P]``.
    """
    errors = (values - targets.unsqueeze(1)).square()
    if weights is not None:
        errors = errors * weights.unsqueeze(1)
    return errors.mean(-1).sum(-1)


def soft_values(
    values: torch.Tensor, log_prob: torch.Tensor, temperature: torch.Tensor
) -> torch.Tensor:
    """Compute ``min_k Q_k - alpha log pi`` (Haarnoja et al. 2018, arXiv:1812.05905, eq. 3).

    Args:
        values: What the critics give for sampled actions, ``[P, K, B]``.
        log_prob: Log-density of those actions, ``[P, B]``.
        temperature: Alpha of each member, ``[P]``.

    Returns:
        ``[P, B]``.
    """
    return values.amin(1) - temperature.unsqueeze(1) * log_prob


def temperature_losses(
    log_temperature: torch.Tensor, log_prob: torch.Tensor, target_entropy: torch.Tensor
) -> torch.Tensor:
    """Compute ``-log(alpha) mean(log pi + H)`` (arXiv:1812.05905, equation 18).

    The authors' implementation takes the logarithm where the paper has alpha itself; the
    gradient has the same sign and does not fade as alpha gets small.

    Args:
        log_temperature: ``[P]``.
        log_prob: Log-density of the policy's actions, ``[P, B]``; no gradient flows into it.
        target_entropy: H, ``[P]``.

    Returns:
        ``[P]``.
    """
    return -log_temperature * (log_prob.detach().mean(-1) + target_entropy)


def temperature_slopes(log_prob: torch.Tensor, target_entropy: torch.Tensor) -> torch.Tensor:
    """Compute the gradient of :func:`temperature_losses` in the logarithm of alpha, ``[P]``."""
    return -(log_prob.mean(-1) + target_entropy)
