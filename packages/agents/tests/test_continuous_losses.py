"""Targets and losses of DDPG, TD3 and SAC against numbers computed by hand."""

import math

import torch

from coterie_agents._continuous.losses import (
    critic_losses,
    smoothed,
    soft_values,
    td_targets,
    temperature_losses,
)


def wide(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def test_targets_discount_what_is_not_terminal():
    targets = td_targets(
        wide([[1.0, 1.0, -2.0]]), wide([[10.0, 10.0, 4.0]]), wide([[0.9, 0.0, 0.81]])
    )
    torch.testing.assert_close(targets, wide([[10.0, 1.0, -2.0 + 3.24]]))


def test_a_value_that_overflowed_behind_a_terminal_state_does_not_matter():
    behind = torch.tensor([[math.inf]])
    assert td_targets(torch.ones(1, 1), behind, torch.zeros(1, 1)).item() == 1.0


def test_critic_losses_add_up_mean_squared_errors_within_members():
    values = wide([[[1.0, 3.0], [0.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]]])
    targets = wide([[0.0, 1.0], [2.0, 4.0]])
    # Member 0: (1 + 4) / 2 + (0 + 1) / 2; member 1: (0 + 4) / 2 twice.
    torch.testing.assert_close(critic_losses(values, targets), wide([3.0, 4.0]))
    weights = wide([[1.0, 0.5], [0.0, 0.25]])
    # Member 0: (1 + 2) / 2 + (0 + 0.5) / 2; member 1: (0 + 1) / 2 twice.
    torch.testing.assert_close(critic_losses(values, targets, weights), wide([1.75, 1.0]))


def test_smoothing_noise_is_scaled_then_clipped_then_bounded():
    actions = wide([[[0.0, 0.9]], [[-0.9, 0.0]]])
    noise = wide([[[5.0, 1.0]], [[-1.0, 1.0]]])
    found = smoothed(actions, noise, wide([0.2, 0.3]), wide([0.5, 0.1]))
    torch.testing.assert_close(found, wide([[[0.5, 1.0]], [[-1.0, 0.1]]]))
    assert float(actions[0, 0, 1]) == 0.9


def test_smoothing_noise_is_never_larger_than_the_clip():
    noise = torch.randn(3, 500, 2, generator=torch.Generator().manual_seed(0)) * 10
    clip = torch.tensor([0.1, 0.3, 0.5])
    found = smoothed(torch.zeros(3, 500, 2), noise, torch.full((3,), 0.2), clip)
    torch.testing.assert_close(found.abs().amax((1, 2)), clip)


def test_soft_values_take_the_smaller_critic_and_add_the_entropy():
    values = wide([[[3.0, 1.0], [2.0, 5.0]]])
    found = soft_values(values, wide([[-1.0, 2.0]]), wide([0.5]))
    torch.testing.assert_close(found, wide([[2.5, 0.0]]))


def test_temperature_rises_where_entropy_is_short_and_falls_where_it_is_ample():
    log_temperature = wide([0.3, 0.3]).requires_grad_()
    log_prob = wide([[3.0, 5.0], [-4.0, -2.0]]).requires_grad_()
    losses = temperature_losses(log_temperature, log_prob, wide([-1.0, -1.0]))
    torch.testing.assert_close(losses.detach(), wide([-0.3 * 3.0, -0.3 * -4.0]))
    (slope,) = torch.autograd.grad(losses.sum(), log_temperature)
    # Entropy -4 is below the target of -1: descending raises alpha. Entropy 3 is above.
    torch.testing.assert_close(slope, wide([-3.0, 4.0]))
    assert not temperature_losses(
        log_temperature.detach(), log_prob, wide([0.0, 0.0])
    ).requires_grad
