"""Targets and losses of Q-learning."""

from __future__ import annotations

from typing import Literal

import torch
from attrs import frozen


@frozen(kw_only=True, eq=False)
class QLosses:
    """What :func:`q_losses` returns.

    Attributes:
        loss: Mean over the samples, ``[P]``.
        slope: Derivative of ``loss.sum()`` by the values of the actions taken, ``[P, B]``.
        errors: Values minus targets, ``[P, B]``.
    """

    loss: torch.Tensor
    slope: torch.Tensor
    errors: torch.Tensor


def q_targets(
    rewards: torch.Tensor,
    terminated: torch.Tensor,
    discounts: torch.Tensor,
    target_values: torch.Tensor,
    values: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute ``y = r + d Q'(s', a')``, and ``y = r`` where ``s'`` is terminal.

    ``a'`` is the best action by ``Q'`` (Mnih et al. 2015, algorithm 1), or by ``Q`` where its
    values are given (double Q-learning, van Hasselt et al. 2016, equation 4).

    Args:
        rewards: ``[P, B]``; of samples over several steps, their discounted sum.
        terminated: bool ``[P, B]``.
        discounts: Discount of what comes behind, ``[P, B]``.
        target_values: What the target network gives for what the samples ended in, ``[P, B, A]``.
        values: What the learning network gives for it, ``[P, B, A]``, or ``None``.

    Returns:
        ``[P, B]``.
    """
    if values is None:
        following = target_values.amax(-1)
    else:
        following = take_actions(target_values, values.argmax(-1))
    return rewards + discounts * following.masked_fill(terminated, 0.0)


def take_actions(values: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Pick the values ``[P, B]`` of actions, int64 ``[P, B]``, from ``[P, B, A]``."""
    return values.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def q_losses(
    values: torch.Tensor,
    targets: torch.Tensor,
    kind: Literal["huber", "mse"],
    weights: torch.Tensor | None = None,
) -> QLosses:
    """Compute the loss of each member and its slope.

    Args:
        values: Values of the actions taken, ``[P, B]``.
        targets: ``[P, B]``.
        kind: ``"huber"``: ``e^2 / 2`` for errors up to 1 and ``|e| - 1/2`` beyond, which is
            the error clipping of Mnih et al. 2015; ``"mse"``: ``e^2``.
        weights: Importance weights ``[P, B]``, or ``None``.
    """
    errors = values - targets
    if kind == "huber":
        slope = errors.clamp(-1, 1)
        losses = slope * (errors - 0.5 * slope)
    else:
        slope = 2 * errors
        losses = errors.square()
    if weights is not None:
        slope, losses = slope * weights, losses * weights
    return QLosses(loss=losses.mean(-1), slope=slope / values.shape[-1], errors=errors)


def dueling_values(outputs: torch.Tensor) -> torch.Tensor:
    """Add a value and advantages: ``Q = V + A - mean A`` (Wang et al. 2016, equation 9).

    Args:
        outputs: ``V`` and then ``A`` of each action, ``[P, B, 1 + actions]``.

    Returns:
        ``[P, B, actions]``.
    """
    value, advantages = outputs[..., :1], outputs[..., 1:]
    return value + advantages - advantages.mean(-1, keepdim=True)


def dueling_slopes(slopes: torch.Tensor) -> torch.Tensor:
    """Pull a gradient of :func:`dueling_values` ``[P, B, actions]`` back to its argument."""
    total = slopes.sum(-1, keepdim=True)
    return torch.cat([total, slopes - total / slopes.shape[-1]], dim=-1)
