"""Returns over several steps."""

from __future__ import annotations

import torch


def n_step_return(
    rewards: torch.Tensor, ends: torch.Tensor, known: torch.Tensor, discount: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add up discounted rewards until ``n`` steps are made, or an episode ends before.

    ``R = r_0 + g r_1 + ... + g^(m-1) r_(m-1)`` (Sutton and Barto 2018, equation 7.1, without
    the value of the state behind, which follows with the factor ``g^m``). ``m`` is the number
    of the first step that ends its episode, or ``n``; steps that did not happen yet shorten it.

    Args:
        rewards: ``[n, P, B]``.
        ends: bool ``[n, P, B]``: whether the step ended its episode, one way or the other.
        known: bool ``[n, P, B]``: whether the step has happened; the first always has.
        discount: ``[P]``.

    Returns:
        The sums ``[P, B]``, and the numbers of steps ``m``, int64 ``[P, B]``.
    """
    goes_on = torch.cat([torch.ones_like(ends[:1]), ~ends[:-1]])
    counts = (goes_on & known).long().cumprod(0)
    powers = discount.view(1, -1, 1) ** torch.arange(len(rewards), device=rewards.device).view(
        -1, 1, 1
    )
    total = torch.where(counts > 0, rewards * powers.to(rewards.dtype), 0.0).sum(0)
    return total, counts.sum(0)
