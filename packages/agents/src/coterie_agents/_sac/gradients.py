"""Gradient of the soft policy's loss."""

from __future__ import annotations

import torch

from .._continuous.losses import soft_values
from .._continuous.networks import ContinuousNetworks
from .._heads.squashed import SquashedGaussian


def descend_policy(
    networks: ContinuousNetworks,
    head: SquashedGaussian,
    inputs: torch.Tensor,
    critic_inputs: torch.Tensor,
    noise: torch.Tensor,
    temperature: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute ``mean(alpha log pi(a|s) - min_k Q_k(s, a))`` and its gradient.

    With actions ``a`` of the policy as a function of noise (arXiv:1812.05905, equation 9).

    Args:
        networks: The networks.
        head: The policy's distribution.
        inputs: What the actor takes in, ``[P, B, features]``.
        critic_inputs: What the critics take in, ``[P, B, features]``.
        noise: Standard normal numbers ``[P, B, action_size]``.
        temperature: Alpha, ``[P]``.

    Returns:
        Losses ``[P]``, the gradient ``[P, parameters]``, and log-densities ``[P, B]``.
    """
    actor = networks.actor
    with torch.enable_grad():
        actions, log_prob = head.sample_with_log_prob(actor.network(inputs), noise)
        values = networks.critics.values(critic_inputs, actions)
        loss = -soft_values(values, log_prob, temperature).mean(-1)
        gradients = torch.autograd.grad(loss.sum(), actor.parameters)
    return loss.detach(), actor.gather(gradients), log_prob.detach()
