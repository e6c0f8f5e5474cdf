"""Gradients of critics and of deterministic actors."""

from __future__ import annotations

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
    with torch.enable_grad():
        values = critics.values(inputs, actions)
        loss = critic_losses(values, targets, weights)
        gradients = torch.autograd.grad(loss.sum(), critics.flat.parameters)
    return CriticStep(
        loss=loss.detach(), values=values.detach(), gradient=critics.flat.gather(gradients)
    )


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
    actor = networks.actor
    with torch.enable_grad():
        actions = actor.network(inputs).tanh()
        loss = -networks.critics.first_values(critic_inputs, actions).mean(-1)
        gradients = torch.autograd.grad(loss.sum(), actor.parameters)
    return loss.detach(), actor.gather(gradients)
