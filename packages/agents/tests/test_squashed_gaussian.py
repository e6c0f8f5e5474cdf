"""The squashed normal distribution and the scaling of bounded actions, in float64."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from coterie import ConfigError
from coterie_agents._heads.bounds import UnitActions
from coterie_agents._heads.squashed import SquashedGaussian

CPU = torch.device("cpu")


@pytest.fixture
def outputs():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 7, 6, generator=generator, dtype=torch.float64)


@pytest.fixture
def noise():
    generator = torch.Generator().manual_seed(4)
    return torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)


def test_log_density_equals_that_of_torch_distributions(outputs, noise):
    actions, log_prob = SquashedGaussian(3).sample_with_log_prob(outputs, noise)
    mean, log_std = outputs.chunk(2, -1)
    normal = Normal(mean, log_std.exp())
    squashed = Independent(TransformedDistribution(normal, [TanhTransform()]), 1)
    torch.testing.assert_close(actions, torch.tanh(mean + log_std.exp() * noise))
    torch.testing.assert_close(log_prob, squashed.log_prob(actions), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(SquashedGaussian(3).sample(outputs, noise), actions)


def test_gradients_equal_those_of_torch_distributions(outputs, noise):
    outputs.requires_grad_()
    actions, log_prob = SquashedGaussian(3).sample_with_log_prob(outputs, noise)
    (mine,) = torch.autograd.grad((log_prob * actions.sum(-1)).sum(), outputs)
    mean, log_std = outputs.chunk(2, -1)
    before = mean + log_std.exp() * noise
    transform = TanhTransform()
    density = Normal(mean, log_std.exp()).log_prob(before)
    wanted = (density - transform.log_abs_det_jacobian(before, before.tanh())).sum(-1)
    (theirs,) = torch.autograd.grad((wanted * before.tanh().sum(-1)).sum(), outputs)
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("far", [-60.0, 60.0])
def test_log_density_is_exact_where_tanh_is_one(far):
    outputs = torch.tensor([[[far, 0.0]]], requires_grad=True)
    actions, log_prob = SquashedGaussian(1).sample_with_log_prob(outputs, torch.zeros(1, 1, 1))
    assert float(actions.detach()) == np.sign(far)
    # log(1 - tanh(u)^2) is 2 (log 2 - |u|) to the last bit for such u.
    expected = -0.5 * np.log(2 * np.pi) - 2 * (np.log(2) - 60)
    assert float(log_prob.detach()) == pytest.approx(expected, rel=1e-6)
    log_prob.sum().backward()
    assert torch.isfinite(outputs.grad).all()
    assert float(outputs.grad[..., 0]) == pytest.approx(2 * np.sign(far))


def test_standard_deviations_are_bounded():
    outputs = torch.tensor([[[0.0, 9.0], [0.0, -99.0]]])
    actions = SquashedGaussian(1).sample(outputs, torch.full((1, 2, 1), 0.1))
    assert float(actions[0, 0]) == pytest.approx(np.tanh(0.1 * np.exp(2)))
    assert float(actions[0, 1]) == pytest.approx(0.1 * np.exp(-20), rel=1e-5)


def test_the_pull_by_hand_equals_autograd(outputs, noise):
    outputs[0, 0, 4], outputs[0, 1, 5] = 2.5, -21.0
    outputs.requires_grad_()
    head = SquashedGaussian(3)
    actions, log_prob = head.sample_with_log_prob(outputs, noise)
    of_actions, of_log_prob = noise.flip(1), outputs.detach()[..., :1] ** 2
    total = (actions * of_actions).sum() + (log_prob * of_log_prob.squeeze(-1)).sum()
    (wanted,) = torch.autograd.grad(total, outputs)
    same, density, pull = head.sample_with_pull(outputs.detach(), noise)
    assert torch.equal(same, actions)
    assert torch.equal(density, log_prob)
    torch.testing.assert_close(pull(of_actions, of_log_prob), wanted)
    assert float(wanted[0, 0, 4]) == float(wanted[0, 1, 5]) == 0.0


def test_mode_is_the_squashed_mean(outputs):
    torch.testing.assert_close(SquashedGaussian(3).mode(outputs), outputs[..., :3].tanh())


def test_unit_actions_reach_the_bounds_and_come_back():
    low, high = np.array([[-2.0, 0.0]], np.float32), np.array([[2.0, 0.3]], np.float32)
    scale = UnitActions(spaces.Box(low, high), CPU, "sac")
    unit = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.5, 0.0]], dtype=torch.float64)
    env = scale.to_env(unit)
    assert env.shape == (3, 1, 2)
    assert env.dtype == torch.float32
    torch.testing.assert_close(env[:, 0], torch.tensor([[-2.0, 0.0], [2.0, 0.3], [1.0, 0.15]]))
    assert bool((env <= torch.from_numpy(high)).all() & (env >= torch.from_numpy(low)).all())
    torch.testing.assert_close(scale.from_env(env).double(), unit, rtol=0, atol=1e-6)


def test_wide_bounds_do_not_overflow():
    limit = np.finfo(np.float32).max
    scale = UnitActions(spaces.Box(-limit, limit, (1,), np.float32), CPU, "sac")
    assert scale.to_env(torch.ones(1, 1)).item() == pytest.approx(float(limit))
    assert scale.from_env(torch.full((1, 1), float(limit))).item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Discrete(3), r"'td3' needs a Box .* got Discrete\(3\); for Discrete .*'dqn'"),
        (spaces.Box(0, 5, (2,), np.int64), "floating-point"),
        (spaces.Box(-np.inf, 1.0, (2,), np.float32), "must be finite.*RescaleAction"),
        (spaces.Box(np.zeros(2, np.float32), np.array([1, 0], np.float32)), "needs room"),
    ],
)
def test_other_spaces_are_refused_with_what_to_do(space, message):
    with pytest.raises(ConfigError, match=message):
        UnitActions(space, CPU, "td3")
