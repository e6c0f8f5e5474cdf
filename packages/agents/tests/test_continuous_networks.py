"""Stacked actors and critics against plain modules with autograd, in float64."""

import copy
import pickle

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie_agents._continuous.cfg import ContinuousModelCfg
from coterie_agents._continuous.gradients import descend_actor, descend_critics
from coterie_agents._continuous.networks import ContinuousNetworks
from coterie_agents._models.inputs import NetworkInput

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU, "silu": nn.SiLU}
CPU = torch.device("cpu")


def make(seeds=(5, 6, 7), critics=2, activation="relu", target_actor=True, fresh=False):
    dtype = torch.float64

    def place(size):
        space = spaces.Box(-1, 1, (size,), np.float32)
        return NetworkInput(space, len(seeds), flat=True, normalize=False, dtype=dtype, device=CPU)

    cfg = ContinuousModelCfg(hidden_sizes=(9, 8), critic_hidden_sizes=(7,), activation=activation)
    made = ContinuousNetworks(
        place(4),
        place(6),
        outputs=2,
        action_size=2,
        critics=critics,
        target_actor=target_actor,
        cfg=cfg,
        seeds=seeds,
        dtype=dtype,
        device=CPU,
    )
    if fresh:
        return made
    # Orthogonal weights with a small last layer hide mistakes: make them all of one size.
    for flat in (made.actor, made.critics.flat):
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        for row, generator in zip(flat.matrix, draws, strict=True):
            row.copy_(torch.randn(row.shape, generator=generator, dtype=dtype) * 0.5)
    return made


def plain(network, row, activation):
    """One network of a stack as an ordinary module."""
    layers = []
    parameters = list(network.parameters())
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        linear = nn.Linear(*weight.shape[1:], dtype=weight.dtype)
        linear.weight.data = weight[row].detach().t().clone()
        linear.bias.data = bias[row, 0].detach().clone()
        layers += [linear, ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def flat_gradient(module):
    parts = []
    for layer in module:
        if isinstance(layer, nn.Linear):
            parts += [layer.weight.grad.t().reshape(-1), layer.bias.grad]
    return torch.cat(parts)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_critic_gradients_equal_those_of_single_critics(activation):
    networks = make(activation=activation)
    inputs, actions, targets = draw(3, 11, 6), draw(3, 11, 2, seed=1), draw(3, 11, seed=2)
    weights = draw(3, 11, seed=3).abs()
    step = descend_critics(networks.critics, inputs, actions, targets, weights)
    found = step.gradient.view(3, 2, -1)
    for p in range(3):
        loss = 0.0
        for k in range(2):
            module = plain(networks.critics.network, 2 * p + k, activation)
            values = module(torch.cat([inputs[p], actions[p]], -1)).squeeze(-1)
            torch.testing.assert_close(step.values[p, k], values.detach())
            own = (weights[p] * (values - targets[p]) ** 2).mean()
            own.backward()
            torch.testing.assert_close(found[p, k], flat_gradient(module))
            loss = loss + own.detach()
        torch.testing.assert_close(step.loss[p], loss)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("critics", [1, 2])
def test_actor_gradients_equal_those_of_single_actors(activation, critics):
    networks = make(activation=activation, critics=critics)
    inputs, states = draw(3, 11, 4), draw(3, 11, 6, seed=1)
    losses, gradient = descend_actor(networks, inputs, states)
    for p in range(3):
        actor = plain(networks.actor.network, p, activation)
        critic = plain(networks.critics.network, critics * p, activation)
        actions = torch.tanh(actor(inputs[p]))
        loss = -critic(torch.cat([states[p], actions], -1)).mean()
        loss.backward()
        torch.testing.assert_close(losses[p], loss.detach())
        torch.testing.assert_close(gradient[p], flat_gradient(actor))


def test_first_values_are_those_of_the_first_critic_now():
    networks = make()
    inputs, actions = draw(3, 5, 6), draw(3, 5, 2, seed=1)
    networks.critics.flat.matrix.mul_(1.5)
    values = networks.critics.values(inputs, actions)
    first = networks.critics.first_values(inputs, actions)
    torch.testing.assert_close(first, values[:, 0].detach())
    assert not torch.allclose(values[:, 0], values[:, 1])


def test_initial_weights_depend_on_the_own_seed_only():
    stacked, alone = make(fresh=True), make(seeds=(6,), fresh=True)
    for name, state in alone.state().items():
        for key, tensor in state.items():
            assert torch.equal(tensor, stacked.state(1)[name][key]), (name, key)
    first, second = stacked.state()["critics"]["weight_0"]
    assert not torch.equal(first, second)
    assert not torch.equal(first, stacked.state(1)["critics"]["weight_0"][0])


def test_targets_start_as_copies():
    networks = make(fresh=True)
    assert torch.equal(networks.target_critics.flat.matrix, networks.critics.flat.matrix)
    assert torch.equal(networks.target_actor.matrix, networks.actor.matrix)
    networks.actor.matrix.add_(1)
    assert not torch.equal(networks.target_actor.matrix, networks.actor.matrix)


def test_targets_follow_by_polyak_averaging():
    networks = make()
    before = networks.target_critics.flat.matrix.clone()
    actor_before = networks.target_actor.matrix.clone()
    share = torch.tensor([[0.0], [0.25], [1.0]], dtype=torch.float64)
    networks.follow(share)
    critics = networks.critics.flat.matrix
    torch.testing.assert_close(
        networks.target_critics.flat.matrix, before * (1 - share) + critics * share
    )
    torch.testing.assert_close(
        networks.target_actor.matrix, actor_before * (1 - share) + networks.actor.matrix * share
    )
    # The modules are views of the matrices, so they have moved too.
    inputs, actions = draw(3, 5, 6), draw(3, 5, 2, seed=1)
    torch.testing.assert_close(
        networks.target_critics.values(inputs, actions)[2],
        networks.critics.values(inputs, actions)[2].detach(),
    )


def test_without_a_target_the_actor_is_its_own():
    networks = make(target_actor=False)
    assert networks.target_actor is networks.actor
    assert "target_actor" not in networks.state()
    assert set(networks.modules) == {"actor", "critics", "target_critics"}


def test_states_move_single_members():
    networks, other = make(), make(seeds=(8, 9))
    other.load(networks.state(2), 1)
    for name, state in networks.state(2).items():
        for key, tensor in state.items():
            assert torch.equal(tensor, other.state(1)[name][key])
    assert not torch.equal(other.critics.flat.matrix[0], networks.critics.flat.matrix[2])
    assert torch.equal(other.critics.flat.matrix[1], networks.critics.flat.matrix[2])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_keep_modules_and_matrices_together(duplicate):
    networks = make()
    other = duplicate(networks)
    inputs, actions = draw(3, 5, 6), draw(3, 5, 2, seed=1)
    before = networks.critics.values(inputs, actions)
    other.critics.flat.matrix.zero_()
    assert not other.critics.values(inputs, actions).any()
    assert not other.critics.first_values(inputs, actions).any()
    assert torch.equal(networks.critics.values(inputs, actions), before)
    assert all(not p.requires_grad for p in other.target_critics.network.parameters())
    assert all(p.requires_grad for p in other.critics.network.parameters())
