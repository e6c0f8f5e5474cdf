"""Gradients of critics and of deterministic actors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from attrs import frozen

from .._models.critics import StackedCritics
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
    inputs: torch.Tensor,
    actions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None,
) -> CriticStep:
    """Compute the critics' loss and its gradient.

    Args:
        critics: The critics that learn.
        inputs: Observations ``[P, B, features]``.
        actions: What was done, ``[P, B, action_size]``.
        targets: ``[P, B]``.
        weights: Importance weights ``[P, B]``, or ``None``.
    """
    find = _critics_by_hand if critics.network.backward_by_hand else _critics_by_autograd
    loss, values, gradients = find(critics, inputs, actions, targets, weights)
    return CriticStep(loss=loss, values=values, gradient=critics.flat.gather(gradients))


_Found = tuple[torch.Tensor, torch.Tensor, Sequence[torch.Tensor]]


def _critics_by_autograd(
    critics: StackedCritics,
    inputs: torch.Tensor,
    actions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None,
) -> _Found:
    with torch.enable_grad():
        values = critics.values(inputs, actions)
        loss = critic_losses(values, targets, weights)
        gradients = torch.autograd.grad(loss.sum(), critics.flat.parameters)
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
    trace = network.trace(critics.rows(inputs, actions))
    values = trace[-1].view(critics.population, critics.count, -1)
    slopes = (values - targets.unsqueeze(1)) * (2 / values.shape[-1])
    if weights is not None:
        slopes *= weights.unsqueeze(1)
    gradients = network.pull(trace, slopes.view(len(trace[-1]), -1, 1))
    return critic_losses(values, targets, weights), values, gradients


def descend_actor(
    networks: ContinuousNetworks, inputs: torch.Tensor, critic_inputs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the deterministic actor's loss, ``-mean Q_1(s, tanh(actor(s)))``, and its gradient.

    The deterministic policy gradient (Lillicrap et al. 2016, equation 6); of twin critics the
    first one values the actor (Fujimoto et al. 2018, algorithm 1).

    Args:
        networks: The networks.
        inputs: What the actor takes in, ``[P, B, features]``.
        critic_inputs: What the critics take in, ``[P, B, features]``.

    Returns:
        Losses ``[P]`` and the gradient ``[P, parameters]``.
    """
    find = _actor_by_hand if networks.backward_by_hand else _actor_by_autograd
    loss, gradients = find(networks, inputs, critic_inputs)
    return loss, networks.actor.gather(gradients)


def _actor_by_autograd(
    networks: ContinuousNetworks, inputs: torch.Tensor, critic_inputs: torch.Tensor
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    actor = networks.actor
    with torch.enable_grad():
        actions = actor.network(inputs).tanh()
        loss = -networks.critics.first_values(critic_inputs, actions).mean(-1)
        gradients = torch.autograd.grad(loss.sum(), actor.parameters)
    return loss.detach(), gradients


@torch.no_grad()
def _actor_by_hand(
    networks: ContinuousNetworks, inputs: torch.Tensor, critic_inputs: torch.Tensor
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """The same; the critic's gradient in the action comes back through tanh."""
    actor, critic = networks.actor.network, networks.critics.flat.first
    trace = actor.trace(inputs)
    actions = trace[-1].tanh()
    critic_trace = critic.trace(torch.cat([critic_inputs, actions], dim=-1))
    values = critic_trace[-1]
    slopes = torch.full_like(values, -1 / values.shape[1])
    of_actions = critic.pull_inputs(critic_trace, slopes)[..., critic_inputs.shape[-1] :]
    gradients = actor.pull(trace, of_actions * (1 - actions.square()))
    return -values.squeeze(-1).mean(-1), gradients
