"""Gradients of critics and of deterministic actors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from attrs import frozen

from .._models.critics import StackedCritics
from .._models.mlp import StackedMLP
from .._precision.scaler import UNSCALED, LossScaler
from .losses import critic_losses
from .networks import ContinuousNetworks


@frozen(kw_only=True, eq=False)
class CriticStep:
    """What one batch says about the critics.

    Attributes:
        loss: ``[P]``.
        values: What the critics gave, ``[P, K, B]``.
        gradient: ``[P, parameters]``.
    """

    loss: torch.Tensor
    values: torch.Tensor
    gradient: torch.Tensor


def descend_critics(
    critics: StackedCritics,
    inputs: Any,
    actions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None,
    scaler: LossScaler = UNSCALED,
) -> CriticStep:
    """Compute the critics' loss and its gradient.

    Args:
        critics: The critics that learn.
        inputs: Observations ``[P, B, features]``, in a tuple with images where there are any.
        actions: What was done, ``[P, B, action_size]``.
        targets: ``[P, B]``.
        weights: Importance weights ``[P, B]``, or ``None``.
        scaler: Scales of the loss.
    """
    if critics.flat.backward_by_hand:
        found = _critics_by_hand(critics, inputs, actions, targets, weights)
    else:
        found = _critics_by_autograd(critics, inputs, actions, targets, weights, scaler)
    loss, values, gradients = found
    gradient = scaler.shrink(critics.flat.gather(gradients))
    return CriticStep(loss=loss, values=values, gradient=gradient)


_Found = tuple[torch.Tensor, torch.Tensor, Sequence[torch.Tensor]]


def _critics_by_autograd(
    critics: StackedCritics,
    inputs: Any,
    actions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None,
    scaler: LossScaler,
) -> _Found:
    with torch.enable_grad():
        values = critics.values(inputs, actions)
        loss = critic_losses(values, targets, weights)
        gradients = torch.autograd.grad(scaler.enlarge(loss).sum(), critics.flat.parameters)
    return loss.detach(), values.detach(), gradients


@torch.no_grad()
def _critics_by_hand(
    critics: StackedCritics,
    inputs: torch.Tensor,
    actions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None,
) -> _Found:
    """The same; a mean of squares has the slope ``2 error / B``."""
    network = critics.network
    assert isinstance(network, StackedMLP)
    trace = network.trace(critics.rows(inputs, actions))
    values = trace[-1].view(critics.population, critics.count, -1)
    slopes = (values - targets.unsqueeze(1)) * (2 / values.shape[-1])
    if weights is not None:
        slopes *= weights.unsqueeze(1)
    gradients = network.pull(trace, slopes.view(len(trace[-1]), -1, 1))
    return critic_losses(values, targets, weights), values, gradients


def descend_actor(
    networks: ContinuousNetworks,
    inputs: Any,
    critic_inputs: Any,
    scaler: LossScaler = UNSCALED,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the deterministic actor's loss, ``-mean Q_1(s, tanh(actor(s)))``, and its gradient.

    The deterministic policy gradient (Lillicrap et al. 2016, equation 6); of twin critics the
    first one values the actor (Fujimoto et al. 2018, algorithm 1).

    Args:
        networks: The networks.
        inputs: What the actor takes in, ``[P, B, features]``.
        critic_inputs: What the critics take in, ``[P, B, features]``.
        scaler: Scales of the loss.

    Returns:
        Losses ``[P]`` and the gradient ``[P, parameters]``.
    """
    if networks.backward_by_hand:
        loss, gradients = _actor_by_hand(networks, inputs, critic_inputs)
    else:
        loss, gradients = _actor_by_autograd(networks, inputs, critic_inputs, scaler)
    return loss, scaler.shrink(networks.actor.gather(gradients))


def _actor_by_autograd(
    networks: ContinuousNetworks, inputs: Any, critic_inputs: Any, scaler: LossScaler
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    actor = networks.actor
    with torch.enable_grad():
        actions = actor.run(inputs).tanh()
        loss = -networks.critics.first_values(critic_inputs, actions).mean(-1)
        gradients = torch.autograd.grad(scaler.enlarge(loss).sum(), actor.parameters)
    return loss.detach(), gradients


@torch.no_grad()
def _actor_by_hand(
    networks: ContinuousNetworks, inputs: torch.Tensor, critic_inputs: torch.Tensor
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """The same; the critic's gradient in the action comes back through tanh."""
    actor, critic = networks.actor.network, networks.critics.flat.first
    assert isinstance(actor, StackedMLP)
    assert isinstance(critic, StackedMLP)
    trace = actor.trace(inputs)
    actions = trace[-1].tanh()
    critic_trace = critic.trace(torch.cat([critic_inputs, actions], dim=-1))
    values = critic_trace[-1]
    slopes = torch.full_like(values, -1 / values.shape[1])
    of_actions = critic.pull_inputs(critic_trace, slopes)[..., critic_inputs.shape[-1] :]
    gradients = actor.pull(trace, of_actions * (1 - actions.square()))
    return -values.squeeze(-1).mean(-1), gradients
