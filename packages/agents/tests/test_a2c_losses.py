"""A2C's loss and gradient: by hand, against a plain implementation, and against PPO's."""

import math

import numpy as np
import pytest
import torch
from attrs import evolve
from gymnasium import spaces
from torch import distributions, nn

from coterie_agents import A2CCfg, A2CLearner, PPOCfg, PPOLearner, a2c_losses
from coterie_agents._a2c.losses import a2c_slopes
from coterie_agents._ppo.gradients import by_autograd, by_hand, descend
from coterie_agents._ppo.rollout import Samples

OBSERVATIONS = spaces.Box(-1.0, 1.0, (3,), np.float32)
ACTIONS = {
    "discrete": spaces.Discrete(4),
    "choices": spaces.MultiDiscrete([2, 3]),
    "box": spaces.Box(-1.0, 1.0, (2,), np.float32),
}
MEMBERS = [
    {"entropy_loss_scale": 0.01, "value_loss_scale": 0.5},
    {"entropy_loss_scale": 0.0, "value_loss_scale": 1.0},
    {"entropy_loss_scale": 0.1, "value_loss_scale": 0.25},
]


def numbers(*rows):
    return torch.tensor(rows, dtype=torch.float64)


KNOWN = {
    "advantages": numbers([1.0, -2.0], [3.0, 5.0]),
    "values": numbers([0.5, 1.0], [2.0, 7.0]),
    "returns": numbers([1.5, -1.0], [0.0, 9.0]),
    "value_loss_scale": torch.tensor([0.5, 1.0], dtype=torch.float64),
    "entropy_loss_scale": torch.tensor([0.1, 0.0], dtype=torch.float64),
}
LOG_PROB = numbers([math.log(0.5), math.log(0.25)], [-1.0, -3.0])
ENTROPY = numbers([0.6, 0.2], [1.0, 1.0])


def test_losses_by_hand():
    losses = a2c_losses(log_prob=LOG_PROB, entropy=ENTROPY, **KNOWN)
    # First member: -(1 log 1/2 - 2 log 1/4) / 2 = -(3 log 2) / 2; errors 1 and 4.
    first = -1.5 * math.log(2)
    assert losses.policy.tolist() == pytest.approx([first, (3 + 15) / 2])
    assert losses.value.tolist() == pytest.approx([(1 + 4) / 2, (4 + 4) / 2])
    assert losses.entropy.tolist() == pytest.approx([0.4, 1.0])
    assert losses.total.tolist() == pytest.approx([first + 0.5 * 2.5 - 0.1 * 0.4, 9 + 4.0])


def test_samples_without_weight_do_not_count():
    weights = numbers([1.0, 0.0], [0.0, 0.0])
    spoiled = {**KNOWN, "returns": numbers([1.5, math.nan], [math.nan, math.inf])}
    losses = a2c_losses(log_prob=LOG_PROB, entropy=ENTROPY, weights=weights, **spoiled)
    assert losses.policy.tolist() == pytest.approx([math.log(2), 0.0])
    assert losses.value.tolist() == [1.0, 0.0]
    slopes = a2c_slopes(weights=weights, **spoiled)
    assert slopes[0].tolist() == [[-1.0, 0.0], [0.0, 0.0]]
    assert slopes[1].tolist() == [[-1.0, 0.0], [0.0, 0.0]]
    assert slopes[2].tolist() == [[-0.1, 0.0], [0.0, 0.0]]


def make(kind, config, members, action_space, **settings):
    model = {"hidden_sizes": (5,)}
    from coterie import structure

    return kind(
        observation_space=OBSERVATIONS,
        action_space=action_space,
        cfgs=[structure(config, {"model": model, **MEMBERS[i], **settings}) for i in members],
        generators=[torch.Generator().manual_seed(i) for i in members],
        seeds=list(members),
        dtype=torch.float64,
    )


def random_batch(learner, rows=7):
    """Samples of the policy as it is: ratios are 1."""
    generator = torch.Generator().manual_seed(9)
    head, population = learner.networks.head, learner.population

    def draw(*shape):
        return torch.randn(population, rows, *shape, generator=generator, dtype=torch.float64)

    inputs = draw(3)
    with torch.no_grad():
        noise = head.noise((population, rows), generator).double()
        actions = learner.networks.sample(inputs, noise)
        log_prob, _ = learner.networks.evaluate(inputs, actions)
    return Samples(
        policy_inputs=inputs,
        value_inputs=inputs,
        actions=actions,
        log_prob=log_prob,
        advantages=draw(),
        returns=draw(),
        values=draw(),
        weights=None,
    )


def plain_network(network, member):
    layers = []
    parameters = [p[member] for p in network.parameters()]
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        linear = nn.Linear(*weight.shape, dtype=torch.float64)
        linear.weight.data = weight.t().clone()
        linear.bias.data = bias[0].clone()
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def plain_policy(learner, batch, member, policy):
    """Log-probabilities, entropies and parameters beside the network, with torch's families."""
    outputs, actions = policy(batch.policy_inputs[member]), batch.actions[member]
    log_std = learner.networks.log_std
    if log_std is not None:
        own = log_std[member].detach().clone().requires_grad_()
        family = distributions.Normal(outputs, own.exp())
        return family.log_prob(actions).sum(-1), family.entropy().sum(-1), [own]
    sizes = {1: [4], 2: [2, 3]}[actions.shape[-1]]
    families = [distributions.Categorical(logits=part) for part in outputs.split(sizes, -1)]
    log_prob = sum(f.log_prob(a) for f, a in zip(families, actions.unbind(-1), strict=True))
    return log_prob, sum(f.entropy() for f in families), []


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("members", [(0,), (0, 1, 2)])
def test_gradients_equal_a_plain_implementation(members, action):
    learner = make(A2CLearner, A2CCfg, members, ACTIONS[action])
    batch = random_batch(learner)
    losses, gradient = descend(learner, batch)
    for member, cfg in enumerate(learner.cfgs):
        networks = learner.networks
        policy, value = (plain_network(n, member) for n in (networks.policy, networks.value))
        log_prob, entropy, extra = plain_policy(learner, batch, member, policy)
        errors = value(batch.value_inputs[member])[:, 0] - batch.returns[member]
        loss = -(log_prob * batch.advantages[member]).mean()
        loss = loss + cfg.value_loss_scale * (errors**2).mean()
        loss = loss - cfg.entropy_loss_scale * entropy.mean()
        parameters = [*policy.parameters(), *value.parameters(), *extra]
        found = torch.autograd.grad(loss, parameters)
        wanted = torch.cat([g.t().reshape(-1) if g.dim() == 2 else g for g in found])
        torch.testing.assert_close(losses.total[member], loss.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(gradient[member], wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_backward_by_hand_equals_autograd(action, weighted):
    learner = make(A2CLearner, A2CCfg, (0, 1, 2), ACTIONS[action])
    batch = random_batch(learner, rows=20)
    if weighted:
        batch = evolve(batch, weights=(batch.returns > -0.5).double())
    gradient = by_hand(learner, batch)[1].clone()
    torch.testing.assert_close(gradient, by_autograd(learner, batch)[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("action", ACTIONS)
def test_is_ppo_where_ratios_are_one(action):
    a2c = make(A2CLearner, A2CCfg, (0, 1, 2), ACTIONS[action])
    ppo = make(PPOLearner, PPOCfg, (0, 1, 2), ACTIONS[action])
    batch = random_batch(a2c)
    mine = descend(a2c, batch)[1].clone()
    theirs = descend(ppo, batch)[1]
    assert mine.abs().sum() > 0
    torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-14)
