"""The terms of A2C's loss, one number per member."""

from __future__ import annotations

import torch

from .._ppo.losses import Losses, member_mean


def a2c_losses(
    *,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
    entropy: torch.Tensor,
    values: torch.Tensor,
    returns: torch.Tensor,
    value_loss_scale: torch.Tensor,
    entropy_loss_scale: torch.Tensor,
    weights: torch.Tensor | None = None,
) -> Losses:
    """Compute the loss of advantage actor-critic (arXiv:1602.01783, section 4.2 and algorithm S3).

    ``-mean(log pi(a|s) A) + c_v mean((V(s) - R)**2) - c_e mean(entropy)``, with means where the
    paper has sums over a rollout.

    Args:
        log_prob: Log-probability of the actions, ``[P, B]``.
        advantages: ``[P, B]``; nothing is learned through them.
        entropy: Entropy of the policy at each sample, ``[P, B]``.
        values: What the value network gives, ``[P, B]``.
        returns: Targets of the values, ``[P, B]``.
        value_loss_scale: ``[P]``.
        entropy_loss_scale: ``[P]``.
        weights: 1 for samples that count and 0 for others, ``[P, B]``; ``None``: all count.

    Returns:
        Loss terms; the policy that learns is the one that acted, so that the divergence is 0.
    """
    policy = -member_mean(advantages * log_prob, weights)
    value = member_mean((values - returns).square(), weights)
    mean_entropy = member_mean(entropy, weights)
    total = policy + value_loss_scale * value - entropy_loss_scale * mean_entropy
    none = torch.zeros_like(total).detach()
    return Losses(total, policy, value, mean_entropy, kl=none, clip_fraction=none)


@torch.no_grad()
def a2c_slopes(
    *,
    advantages: torch.Tensor,
    values: torch.Tensor,
    returns: torch.Tensor,
    value_loss_scale: torch.Tensor,
    entropy_loss_scale: torch.Tensor,
    weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute the gradient of the total of :func:`a2c_losses`, whose arguments these are.

    Returns:
        Gradients of log-probabilities, values and entropies, ``[P, B]`` each.
    """
    if weights is None:
        share = torch.full_like(advantages, 1 / advantages.shape[-1])
    else:
        share = weights / weights.sum(-1, keepdim=True).clamp(min=1)
    of_log_prob = -advantages * share
    of_values = (values - returns) * share * (2 * value_loss_scale[:, None])
    if weights is not None:
        left_out = weights <= 0
        of_log_prob.masked_fill_(left_out, 0.0)
        of_values.masked_fill_(left_out, 0.0)
    return of_log_prob, of_values, share * -entropy_loss_scale[:, None]
