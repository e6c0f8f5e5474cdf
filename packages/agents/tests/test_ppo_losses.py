"""The terms of the loss against numbers computed by hand."""

import math

import pytest
import torch

from coterie_agents import ppo_losses


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


def member(*values):
    return torch.tensor(values, dtype=torch.float64)


def losses(**changes):
    arguments = {
        "log_prob": row(0.0, 0.0),
        "old_log_prob": row(0.0, 0.0),
        "advantages": row(1.0, -1.0),
        "entropy": row(0.5, 0.7),
        "values": row(1.0, 2.0),
        "old_values": row(1.0, 2.0),
        "returns": row(1.0, 2.0),
        "ratio_clip": member(0.2),
        "value_loss_scale": member(0.5),
        "entropy_loss_scale": member(0.1),
    }
    return ppo_losses(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "gradient"),
    [
        (1.5, 2.0, -2.4, 0.0),  # better action, already more likely by more than the clip
        (0.5, 2.0, -1.0, -1.0),  # better action, less likely: unclipped
        (0.5, -2.0, 1.6, 0.0),  # worse action, already less likely by more than the clip
        (1.5, -2.0, 3.0, 3.0),  # worse action, more likely: unclipped
        (1.1, 2.0, -2.2, -2.2),  # within the clip
    ],
)
def test_clipped_surrogate(ratio, advantage, expected, gradient):
    log_prob = row(math.log(ratio)).requires_grad_()
    one = row(0.0)
    found = losses(
        log_prob=log_prob,
        old_log_prob=one,
        advantages=row(advantage),
        entropy=one,
        values=one,
        old_values=one,
        returns=one,
    )
    assert found.policy.item() == pytest.approx(expected)
    # d ratio / d log_prob = ratio
    found.policy.sum().backward()
    assert log_prob.grad.item() == pytest.approx(gradient)


def test_value_loss_is_the_mean_squared_error():
    assert losses(values=row(2.0, 5.0)).value.item() == pytest.approx((1 + 9) / 2)


def test_value_clip_takes_the_larger_error():
    # New 3, old 1, clip 0.5: clipped to 1.5. Return 4: errors 1 and 6.25. Return 1: 4 and 0.25.
    found = losses(
        values=row(3.0, 3.0),
        old_values=row(1.0, 1.0),
        returns=row(4.0, 1.0),
        value_clip=member(0.5),
    )
    assert found.value.item() == pytest.approx((6.25 + 4) / 2)


def test_infinite_value_clip_is_no_clip():
    changes = {"values": row(3.0, -3.0), "returns": row(4.0, 1.0)}
    clipped = losses(value_clip=member(math.inf), **changes)
    assert clipped.value.item() == losses(**changes).value.item()


def test_total_weighs_the_terms():
    found = losses(values=row(2.0, 5.0))
    assert found.entropy.item() == pytest.approx(0.6)
    assert found.total.item() == pytest.approx(0.0 + 0.5 * 5.0 - 0.1 * 0.6)


def test_divergence_and_clip_fraction():
    found = losses(log_prob=row(math.log(1.5), math.log(0.9)))
    expected = ((0.5 - math.log(1.5)) + (-0.1 - math.log(0.9))) / 2
    assert found.kl.item() == pytest.approx(expected)
    assert found.clip_fraction.item() == pytest.approx(0.5)
    assert not found.kl.requires_grad


def test_samples_without_weight_do_not_count():
    nan = float("nan")
    found = losses(
        log_prob=row(math.log(1.1), nan),
        advantages=row(2.0, nan),
        entropy=row(0.5, nan),
        values=row(2.0, nan),
        weights=row(1.0, 0.0),
    )
    assert found.policy.item() == pytest.approx(-2.2)
    assert found.value.item() == pytest.approx(1.0)
    assert found.entropy.item() == pytest.approx(0.5)
    assert found.clip_fraction.item() == 0.0


def test_members_do_not_mix():
    log_prob = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    rows = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    found = ppo_losses(
        log_prob=log_prob,
        old_log_prob=torch.zeros(2, 3, dtype=torch.float64),
        advantages=rows,
        entropy=rows,
        values=rows,
        old_values=rows,
        returns=rows,
        ratio_clip=member(0.2, 0.2),
        value_loss_scale=member(0.5, 0.5),
        entropy_loss_scale=member(0.0, 1.0),
    )
    assert found.total.tolist() == pytest.approx([-1.0, -4.0 - 4.0])
    (gradient,) = torch.autograd.grad(found.total[0], log_prob)
    assert gradient[1].tolist() == [0.0, 0.0, 0.0]
