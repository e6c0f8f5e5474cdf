"""Gradient of the soft policy's loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .._continuous.losses import soft_values
from .._continuous.networks import ContinuousNetworks
from .._heads.squashed import SquashedGaussian
from .._models.mlp import StackedMLP
from .._precision.scaler import UNSCALED, LossScaler


def descend_policy(
    networks: ContinuousNetworks,
    head: SquashedGaussian,
    inputs: Any,
    critic_inputs: Any,
    noise: torch.Tensor,
    temperature: torch.Tensor,
    scaler: LossScaler = UNSCALED,
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
        scaler: Scales of the loss.

    Returns:
        Losses ``[P]``, the gradient ``[P, parameters]``, and log-densities ``[P, B]``.
    """
    known = networks, head, inputs, critic_inputs, noise, temperature
    found = _by_hand(*known) if networks.backward_by_hand else _by_autograd(*known, scaler)
    loss, gradients, log_prob = found
    return loss, scaler.shrink(networks.actor.gather(gradients)), log_prob


_Found = tuple[torch.Tensor, Sequence[torch.Tensor], torch.Tensor]


def _by_autograd(
    networks: ContinuousNetworks,
    head: SquashedGaussian,
    inputs: Any,
    critic_inputs: Any,
    noise: torch.Tensor,
    temperature: torch.Tensor,
    scaler: LossScaler,
) -> _Found:
    actor = networks.actor
    with torch.enable_grad():
        actions, log_prob = head.sample_with_log_prob(actor.run(inputs), noise)
        values = networks.critics.values(critic_inputs, actions)
        loss = -soft_values(values, log_prob, temperature).mean(-1)
        gradients = torch.autograd.grad(scaler.enlarge(loss).sum(), actor.parameters)
    return loss.detach(), gradients, log_prob.detach()


@torch.no_grad()
def _by_hand(
    networks: ContinuousNetworks,
    head: SquashedGaussian,
    inputs: torch.Tensor,
    critic_inputs: torch.Tensor,
    noise: torch.Tensor,
    temperature: torch.Tensor,
) -> _Found:
    """The same: back from the smaller critic to the action, and from there to the outputs."""
    actor, critics = networks.actor.network, networks.critics
    assert isinstance(actor, StackedMLP)
    assert isinstance(critics.network, StackedMLP)
    trace = actor.trace(inputs)
    actions, log_prob, pull = head.sample_with_pull(trace[-1], noise)
    critic_trace = critics.network.trace(critics.rows(critic_inputs, actions))
    values = critic_trace[-1].view(critics.population, critics.count, -1)
    share = 1 / values.shape[-1]
    chosen = values.argmin(1, keepdim=True)
    slopes = torch.zeros_like(values).scatter_(1, chosen, -share)
    of_inputs = critics.network.pull_inputs(critic_trace, slopes.view(len(critic_trace[-1]), -1, 1))
    of_actions = of_inputs[..., critic_inputs.shape[-1] :]
    of_actions = of_actions.reshape(critics.population, critics.count, *actions.shape[1:]).sum(1)
    of_outputs = pull(of_actions, (temperature * share).view(-1, 1, 1))
    loss = -soft_values(values, log_prob, temperature).mean(-1)
    return loss, actor.pull(trace, of_outputs), log_prob
