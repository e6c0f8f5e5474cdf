"""Gradients of a mini-batch: by hand for built-in networks, by autograd for a user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .._models.mlp import StackedMLP

if TYPE_CHECKING:
    from .learner import PPOLearner
    from .losses import Losses
    from .rollout import Samples


def descend(learner: PPOLearner, batch: Samples) -> tuple[Losses, torch.Tensor]:
    """Compute the losses of a mini-batch and their gradient.

    Args:
        learner: The members.
        batch: Samples ``[P, b, ...]``.

    Returns:
        Losses, and the gradient of each member's total, ``[P, parameters]``.
    """
    found = None if learner.compiled is None else learner.compiled.find(learner, batch)
    if found is not None:
        return found
    find = by_hand if learner.networks.backward_by_hand else by_autograd
    return find(learner, batch)


def by_autograd(learner: PPOLearner, batch: Samples) -> tuple[Losses, torch.Tensor]:
    """Do what :func:`descend` says, for any network."""
    networks = learner.networks
    with torch.enable_grad():
        found = networks.judge(batch.policy_inputs, batch.value_inputs, batch.actions)
        losses = learner.losses(batch, *found)
        total = learner.scaler.enlarge(losses.total).sum()
        gradients = torch.autograd.grad(total, networks.parameters, allow_unused=True)
    return losses, learner.scaler.shrink(learner.optimizer.gather(gradients))


@torch.no_grad()
def by_hand(learner: PPOLearner, batch: Samples) -> tuple[Losses, torch.Tensor]:
    """Do what :func:`descend` says, for built-in networks."""
    networks = learner.networks
    policy, value = networks.policy, networks.value
    assert isinstance(policy, StackedMLP)
    assert isinstance(value, StackedMLP)
    space = learner.workspace
    policy_trace = policy.trace(batch.policy_inputs, space, "policy")
    value_trace = value.trace(batch.value_inputs, space, "value")
    log_prob, entropy, pull = networks.head.evaluate_with_pull(
        policy_trace[-1], networks.log_std, batch.actions
    )
    values = value_trace[-1].squeeze(-1)
    losses = learner.losses(batch, log_prob, entropy, values)
    of_log_prob, of_values, of_entropy = learner.slopes(batch, log_prob, values)
    of_outputs, of_log_std = pull(of_log_prob, of_entropy)
    gradients = policy.pull(policy_trace, of_outputs, space)
    gradients += value.pull(value_trace, of_values.unsqueeze(-1), space)
    if of_log_std is not None:
        gradients.append(of_log_std)
    return losses, learner.optimizer.gather(gradients)
