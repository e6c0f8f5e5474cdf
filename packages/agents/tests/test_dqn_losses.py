"""Targets, losses and gradients of Q-learning: by hand, and against plain modules in float64."""

import copy

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie_agents import DQNCfg, DQNLearner, q_losses, q_targets
from coterie_agents._dqn.losses import dueling_slopes, dueling_values
from coterie_agents._offpolicy.samples import Samples

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU, "silu": nn.SiLU}
TARGET_VALUES = torch.tensor([[[1.0, 5.0, 3.0], [2.0, 0.0, -1.0]]])
VALUES = torch.tensor([[[9.0, 0.0, 1.0], [0.0, 0.5, 7.0]]])
REWARDS = torch.tensor([[10.0, 20.0]])
DISCOUNTS = torch.tensor([[0.5, 0.25]])
NONE = torch.zeros(1, 2, dtype=torch.bool)


def test_targets_by_hand():
    assert q_targets(REWARDS, NONE, DISCOUNTS, TARGET_VALUES).tolist() == [[12.5, 20.5]]
    ended = torch.tensor([[False, True]])
    assert q_targets(REWARDS, ended, DISCOUNTS, TARGET_VALUES).tolist() == [[12.5, 20.0]]


def test_double_targets_by_hand():
    # The learning network chooses actions 0 and 2, which the target network values 1 and -1.
    assert q_targets(REWARDS, NONE, DISCOUNTS, TARGET_VALUES, VALUES).tolist() == [[10.5, 19.75]]


def test_what_is_behind_a_terminal_state_does_not_matter():
    broken = TARGET_VALUES.clone()
    broken[0, 1] = torch.nan
    ended = torch.tensor([[False, True]])
    assert q_targets(REWARDS, ended, DISCOUNTS, broken).tolist() == [[12.5, 20.0]]


def test_losses_by_hand():
    values, targets = torch.tensor([[1.0, 0.0, 0.5, 9.0]]), torch.tensor([[1.5, 0.0, 4.5, 7.0]])
    huber = q_losses(values, targets, "huber")
    assert huber.errors.tolist() == [[-0.5, 0.0, -4.0, 2.0]]
    assert huber.loss.tolist() == [(0.125 + 0 + 3.5 + 1.5) / 4]
    assert huber.slope.tolist() == [[-0.125, 0.0, -0.25, 0.25]]
    squared = q_losses(values, targets, "mse")
    assert squared.loss.tolist() == [(0.25 + 0 + 16 + 4) / 4]
    assert squared.slope.tolist() == [[-0.25, 0.0, -2.0, 1.0]]
    weighted = q_losses(values, targets, "mse", torch.tensor([[1.0, 1.0, 0.5, 0.0]]))
    assert weighted.loss.tolist() == [(0.25 + 8) / 4]
    assert weighted.slope.tolist() == [[-0.25, 0.0, -1.0, 0.0]]


def test_dueling_values_by_hand():
    outputs = torch.tensor([[[10.0, 1.0, 2.0, 6.0]]])
    assert dueling_values(outputs).tolist() == [[[8.0, 9.0, 13.0]]]


def test_dueling_slopes_are_those_of_autograd():
    outputs = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    slopes = torch.randn(2, 3, 4, dtype=torch.float64)
    (expected,) = torch.autograd.grad(dueling_values(outputs), outputs, slopes)
    torch.testing.assert_close(dueling_slopes(slopes), expected)


def make(seeds=(5, 6, 7), **settings):
    model = {"hidden_sizes": (9, 8), "activation": settings.pop("activation", "relu")}
    cfg = DQNCfg(**settings, model=type(DQNCfg().model)(**model))
    learner = DQNLearner(
        observation_space=spaces.Box(-1, 1, (4,), np.float32),
        action_space=spaces.Discrete(3),
        cfgs=[cfg] * len(seeds),
        generators=[torch.Generator().manual_seed(s) for s in seeds],
        seeds=seeds,
        dtype=torch.float64,
    )
    for network in (learner.networks.online, learner.networks.target):
        generator = torch.Generator().manual_seed(len(seeds))
        for parameter in network.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.data.copy_(drawn * 0.5)
            generator.manual_seed(generator.initial_seed() + 1)
    return learner


class Plain(nn.Module):
    """One member of a stack as an ordinary module."""

    def __init__(self, network, row, activation, dueling):
        super().__init__()
        parameters, layers = list(network.parameters()), []
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            linear = nn.Linear(*weight.shape[1:], dtype=weight.dtype)
            linear.weight.data = weight[row].detach().t().clone()
            linear.bias.data = bias[row, 0].detach().clone()
            layers += [linear, ACTIVATIONS[activation]()]
        self.layers, self.dueling = nn.Sequential(*layers[:-1]), dueling

    def forward(self, x):
        out = self.layers(x)
        if not self.dueling:
            return out
        return out[:, :1] + out[:, 1:] - out[:, 1:].mean(1, keepdim=True)


def draw_samples(population, batch, weighted):
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(population, *shape, generator=generator, dtype=torch.float64)

    observations, following = normal(batch, 4), normal(batch, 4)
    return Samples(
        observations=observations,
        next_observations=following,
        states=observations,
        next_states=following,
        actions=torch.randint(3, (population, batch), generator=generator),
        rewards=normal(batch) * 3,
        terminated=torch.rand(population, batch, generator=generator) < 0.3,
        discounts=torch.full((population, batch), 0.97, dtype=torch.float64),
        weights=normal(batch).abs() if weighted else None,
        leaves=None,
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["huber", "mse"])
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
def test_gradients_equal_those_of_a_plain_agent(activation, dueling, double, loss, weighted):
    learner = make(activation=activation, dueling=dueling, double=double, loss=loss)
    samples = draw_samples(3, 21, weighted)
    targets = learner.targets(samples)
    losses, _, gradients = learner.networks.descend(
        samples.observations,
        samples.actions,
        lambda values: q_losses(values, targets, loss, samples.weights),
    )
    kind = {"huber": nn.SmoothL1Loss, "mse": nn.MSELoss}[loss](reduction="none")
    for row in range(3):
        online = Plain(learner.networks.online, row, activation, dueling)
        target = Plain(learner.networks.target, row, activation, dueling)
        with torch.no_grad():
            behind = target(samples.next_observations[row])
            chooser = online if double else target
            best = chooser(samples.next_observations[row]).argmax(1)
            goes_on = (~samples.terminated[row]).double()
            wanted = samples.rewards[row] + 0.97 * goes_on * behind[torch.arange(21), best]
        values = online(samples.observations[row])[torch.arange(21), samples.actions[row]]
        each = kind(values, wanted)
        total = (each * samples.weights[row]).mean() if weighted else each.mean()
        total.backward()
        torch.testing.assert_close(losses.loss[row], total.detach())
        expected = [
            grad
            for layer in online.layers
            if isinstance(layer, nn.Linear)
            for grad in (layer.weight.grad.t(), layer.bias.grad.unsqueeze(0))
        ]
        for mine, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(mine[row], other)


def test_an_optimiser_step_equals_that_of_torch():
    learner = make(
        learning_rate=0.01, grad_norm_clip=0.5, target_update_interval=1, target_update_rate=0.1
    )
    plain = [Plain(learner.networks.online, row, "relu", False) for row in range(3)]
    followers = [Plain(learner.networks.target, row, "relu", False) for row in range(3)]
    for seed in range(4):
        samples = draw_samples(3, 8 + seed, weighted=False)
        targets = learner.targets(samples)
        learner.learn(samples)
        for row, (module, follower) in enumerate(zip(plain, followers, strict=True)):
            if seed == 0:
                module.optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
            module.optimizer.zero_grad()
            rows = torch.arange(8 + seed)
            values = module(samples.observations[row])[rows, samples.actions[row]]
            nn.functional.smooth_l1_loss(values, targets[row]).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 0.5)
            module.optimizer.step()
            for behind, ahead in zip(follower.parameters(), module.parameters(), strict=True):
                behind.data.mul_(0.9).add_(ahead.data, alpha=0.1)
    for row in range(3):
        for network, expected in (("online", plain[row]), ("target", followers[row])):
            found = Plain(getattr(learner.networks, network), row, "relu", False)
            for mine, other in zip(found.parameters(), expected.parameters(), strict=True):
                torch.testing.assert_close(mine, other)


def test_a_hard_update_copies_at_its_interval():
    learner = make(target_update_interval=3)
    before = copy.deepcopy(learner.networks.target.state_dict())
    for step in range(1, 4):
        learner.learn(draw_samples(3, 5, weighted=False))
        online, target = (
            n.state_dict() for n in (learner.networks.online, learner.networks.target)
        )
        for key in target:
            assert torch.equal(target[key], online[key] if step == 3 else before[key])
