"""The terms of PPO's loss, one number per member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen

if TYPE_CHECKING:
    from .hyper import Hyper
    from .rollout import Samples


@frozen(eq=False)
class Losses:
    """Loss terms and diagnostics of one mini-batch, ``[P]`` each.

    Attributes:
        total: What is minimised; gradients of members do not mix.
        policy: Clipped surrogate, negated.
        value: Mean squared error of the values.
        entropy: Mean entropy of the policy.
        kl: Estimate of the divergence from the policy that acted (no gradient).
        clip_fraction: Fraction of samples whose ratio was clipped (no gradient).
    """

    total: torch.Tensor
    policy: torch.Tensor
    value: torch.Tensor
    entropy: torch.Tensor
    kl: torch.Tensor
    clip_fraction: torch.Tensor


def member_mean(values: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Mean over the samples of each member.

    Args:
        values: ``[P, B]``.
        weights: 1 for samples that count and 0 for others, ``[P, B]``; ``None``: all count.

    Returns:
        ``[P]``; 0 for a member without a sample that counts.
    """
    if weights is None:
        return values.mean(-1)
    return torch.where(weights > 0, values, 0.0).sum(-1) / weights.sum(-1).clamp(min=1)


def known_losses(hyper: Hyper, batch: Samples) -> dict[str, Any]:
    """Lay out the arguments of :func:`ppo_losses` that do not depend on the networks."""
    return {
        "old_log_prob": batch.log_prob,
        "advantages": batch.advantages,
        "old_values": batch.values,
        "returns": batch.returns,
        "ratio_clip": hyper.ratio_clip,
        "value_loss_scale": hyper.value_loss_scale,
        "entropy_loss_scale": hyper.entropy_loss_scale,
        "value_clip": hyper.value_clip,
        "weights": batch.weights,
    }


def ppo_losses(
    *,
    log_prob: torch.Tensor,
    old_log_prob: torch.Tensor,
    advantages: torch.Tensor,
    entropy: torch.Tensor,
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    ratio_clip: torch.Tensor,
    value_loss_scale: torch.Tensor,
    entropy_loss_scale: torch.Tensor,
    value_clip: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
) -> Losses:
    """Compute the loss of PPO (arXiv:1707.06347, equations 7 and 9).

    Args:
        log_prob: Log-probability of the actions under the policy that learns, ``[P, B]``.
        old_log_prob: The same under the policy that acted.
        advantages: ``[P, B]``.
        entropy: Entropy of the policy at each sample, ``[P, B]``.
        values: Values that the network gives now, ``[P, B]``.
        old_values: Values that it gave before the update, ``[P, B]``.
        returns: Targets of the values, ``[P, B]``.
        ratio_clip: ``[P]``.
        value_loss_scale: ``[P]``.
        entropy_loss_scale: ``[P]``.
        value_clip: ``[P]``, infinite where a member does not clip; ``None``: nobody does.
        weights: 1 for samples that count and 0 for others, ``[P, B]``; ``None``: all count.

    Returns:
        Loss terms and diagnostics.
    """
    log_ratio = log_prob - old_log_prob
    ratio = log_ratio.exp()
    clip = ratio_clip[:, None]
    clipped = ratio.clamp(1 - clip, 1 + clip)
    surrogate = torch.minimum(advantages * ratio, advantages * clipped)
    policy = -member_mean(surrogate, weights)

    errors = (values - returns).square()
    if value_clip is not None:
        width = value_clip[:, None]
        near = old_values + (values - old_values).clamp(-width, width)
        errors = torch.maximum(errors, (near - returns).square())
    value = member_mean(errors, weights)

    mean_entropy = member_mean(entropy, weights)
    total = policy + value_loss_scale * value - entropy_loss_scale * mean_entropy
    with torch.no_grad():
        # Schulman's low-variance estimate (r - 1) - log r, which is never negative.
        kl = member_mean(ratio - 1 - log_ratio, weights)
        outside = ((ratio - 1).abs() > clip).to(ratio.dtype)
        clip_fraction = member_mean(outside, weights)
    return Losses(total, policy, value, mean_entropy, kl, clip_fraction)


@torch.no_grad()
def ppo_slopes(
    *,
    log_prob: torch.Tensor,
    old_log_prob: torch.Tensor,
    advantages: torch.Tensor,
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    ratio_clip: torch.Tensor,
    value_loss_scale: torch.Tensor,
    entropy_loss_scale: torch.Tensor,
    value_clip: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute the gradient of the total of :func:`ppo_losses`, whose arguments these are.

    Where a clip is active the loss does not change; elsewhere the surrogate ``A r`` has the
    slope ``A r`` in the log-probability, and a squared error twice the error in the value.

    Returns:
        Gradients of log-probabilities, values and entropies, ``[P, B]`` each.
    """
    if weights is None:
        share = torch.full_like(advantages, 1 / advantages.shape[-1])
    else:
        share = weights / weights.sum(-1, keepdim=True).clamp(min=1)
    ratio = (log_prob - old_log_prob).exp()
    clip = ratio_clip[:, None]
    surrogate = advantages * ratio
    clipped = surrogate > advantages * ratio.clamp(1 - clip, 1 + clip)
    of_log_prob = surrogate.mul(share).neg_().masked_fill_(clipped, 0.0)

    errors = values - returns
    of_values = errors * share * (2 * value_loss_scale[:, None])
    if value_clip is not None:
        width = value_clip[:, None]
        moved = values - old_values
        near = old_values + moved.clamp(-width, width)
        # Within the clip `near` is the value but for rounding, so the errors alone don't tell.
        flat = (moved.abs() > width) & (errors.abs() < (near - returns).abs())
        of_values.masked_fill_(flat, 0.0)
    of_entropy = share * -entropy_loss_scale[:, None]
    if weights is not None:
        left_out = weights <= 0
        of_log_prob.masked_fill_(left_out, 0.0)
        of_values.masked_fill_(left_out, 0.0)
    return of_log_prob, of_values, of_entropy
