"""Recurrent networks against torch's own modules, in float64."""

import pytest
import torch
from torch import nn

from coterie_agents import RecurrentModelCfg
from coterie_agents._recurrent.network import StackedRecurrent
from coterie_agents._recurrent.sequences import Sequences, episode_starts

KINDS = [("gru", 1), ("gru", 2), ("lstm", 1), ("lstm", 2)]
FEATURES, UNITS, BATCH, LENGTH = 3, 5, 4, 7


def make(cell, layers, population=1, **sizes):
    sizes = {"sizes_before": (), "sizes_after": (), **sizes}
    cfg = RecurrentModelCfg(cell=cell, layers=layers, hidden_size=UNITS, **sizes)
    generators = [torch.Generator().manual_seed(i) for i in range(population)]
    network = StackedRecurrent(FEATURES, 2, cfg, generators, 1.0, dtype=torch.float64)
    noise = torch.Generator().manual_seed(9)
    for parameter in network.parameters():  # biases that matter
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=noise, dtype=parameter.dtype)
    return network


def draw(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def plain(network, member, cell, layers):
    """torch's module with the weights of a member."""
    module = (nn.GRU if cell == "gru" else nn.LSTM)(
        FEATURES, UNITS, layers, batch_first=True, dtype=torch.float64
    )
    for layer in range(layers):
        for kind in ("ih", "hh"):
            weight = getattr(network, f"weight_{kind}_{layer}")[member]
            getattr(module, f"weight_{kind}_l{layer}").data.copy_(weight.t())
            bias = getattr(network, f"bias_{kind}_{layer}")[member, 0]
            getattr(module, f"bias_{kind}_l{layer}").data.copy_(bias)
    return module


def to_torch(state, cell, layers):
    """A state ``[B, size]`` as torch's modules take it in."""
    parts = state.view(len(state), layers, -1, UNITS).permute(2, 1, 0, 3).contiguous()
    return parts[0] if cell == "gru" else (parts[0], parts[1])


def from_torch(state):
    parts = torch.stack(state) if isinstance(state, tuple) else state.unsqueeze(0)
    return parts.permute(2, 1, 0, 3).flatten(1)


@pytest.mark.parametrize(("cell", "layers"), KINDS)
@pytest.mark.parametrize("population", [1, 3])
def test_members_equal_torch_with_gradients(cell, layers, population):
    network = make(cell, layers, population)
    inputs = draw(population, BATCH, LENGTH, FEATURES).requires_grad_()
    first = draw(population, BATCH, network.state_size, seed=2).requires_grad_()
    outputs, states = network.encode(Sequences(inputs, first, None))
    slopes = draw(*outputs.shape, seed=3)
    (outputs * slopes).sum().backward()
    for member in range(population):
        module = plain(network, member, cell, layers)
        own, state = (t[member].detach().clone().requires_grad_() for t in (inputs, first))
        wanted, last = module(own, to_torch(state, cell, layers))
        torch.testing.assert_close(outputs[member], wanted, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(states[member, :, -1], from_torch(last), rtol=1e-12, atol=1e-12)
        (wanted * slopes[member]).sum().backward()
        pairs = [(inputs.grad[member], own.grad), (first.grad[member], state.grad)]
        for layer in range(layers):
            for kind in ("ih", "hh"):
                weight = getattr(network, f"weight_{kind}_{layer}").grad[member]
                pairs.append((weight.t(), getattr(module, f"weight_{kind}_l{layer}").grad))
                bias = getattr(network, f"bias_{kind}_{layer}").grad[member, 0]
                pairs.append((bias, getattr(module, f"bias_{kind}_l{layer}").grad))
        for found, expected in pairs:
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_steps_equal_torchs_cells_and_the_sequence(cell, layers):
    network = make(cell, layers, 2)
    inputs = draw(2, BATCH, LENGTH, FEATURES)
    state = first = draw(2, BATCH, network.state_size, seed=2)
    outputs, states = network.encode(Sequences(inputs, first, None))
    said = network.decode(outputs.flatten(1, 2)).unflatten(1, (BATCH, LENGTH))
    for t in range(LENGTH):
        own, state = network.step(inputs[:, :, t], state)
        torch.testing.assert_close(own, said[:, :, t], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(state, states[:, :, t], rtol=1e-12, atol=1e-12)
    if layers == 1:
        kind = nn.GRUCell if cell == "gru" else nn.LSTMCell
        module = kind(FEATURES, UNITS, dtype=torch.float64)
        weights = plain(network, 1, cell, 1).state_dict()
        module.load_state_dict({name[:-3]: weight for name, weight in weights.items()})
        parts = first[1].split(UNITS, -1)
        found = module(inputs[1, :, 0], parts[0] if cell == "gru" else tuple(parts))
        wanted = found if cell == "gru" else torch.cat(found, -1)
        torch.testing.assert_close(states[1, :, 0], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_an_episode_that_begins_in_a_sequence_knows_nothing_of_the_one_before(cell, layers):
    network = make(cell, layers, 2, sizes_before=(4,), sizes_after=(6,))
    inputs, first = draw(2, 1, LENGTH, FEATURES), draw(2, 1, network.state_size, seed=2)
    ended = torch.tensor([[[0, 0, 1, 0, 0, 1, 1]]], dtype=torch.bool).expand(2, -1, -1)
    starts = episode_starts(ended)
    assert starts[0, 0].tolist() == [False, False, False, True, False, False, True]
    found = network(Sequences(inputs, first, starts))
    nothing = torch.zeros_like(first)
    for begin, end, state in ((0, 3, first), (3, 6, nothing), (6, 7, nothing)):
        wanted = network(Sequences(inputs[:, :, begin:end], state, None))
        torch.testing.assert_close(found[:, begin:end], wanted, rtol=1e-12, atol=1e-12)


def test_what_is_forgotten_may_be_infinite():
    network = make("gru", 1)
    first = torch.full((1, 1, network.state_size), float("nan"), dtype=torch.float64)
    starts = torch.ones(1, 1, 2, dtype=torch.bool)
    assert network(Sequences(draw(1, 1, 2, FEATURES), first, starts)).isfinite().all()


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_a_burn_in_is_gone_through_without_gradients(cell, layers):
    network = make(cell, layers, 2)
    inputs = draw(2, BATCH, LENGTH, FEATURES).requires_grad_()
    starts = torch.zeros(2, BATCH, LENGTH, dtype=torch.bool)
    starts[:, 1, 1] = starts[:, 2, 5] = True
    whole = network(Sequences(inputs, None, starts)).unflatten(1, (BATCH, LENGTH))
    late = network(Sequences(inputs, None, starts, 3)).unflatten(1, (BATCH, LENGTH - 3))
    torch.testing.assert_close(late, whole[:, :, 3:], rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(late.sum(), inputs)
    assert not gradient[:, :, :3].any()
    assert gradient[:, :, 3:].abs().sum() > 0


def test_weights_are_drawn_from_a_members_own_generator():
    cfg = RecurrentModelCfg(cell="lstm", hidden_size=UNITS)
    generators = [torch.Generator().manual_seed(i) for i in range(3)]
    stack = StackedRecurrent(FEATURES, 2, cfg, generators, 1.0)
    alone = StackedRecurrent(FEATURES, 2, cfg, [torch.Generator().manual_seed(2)], 1.0)
    for name, weight in alone.named_parameters():
        assert torch.equal(stack.get_parameter(name)[2], weight[0])
    forget = alone.get_parameter("bias_ih_0")[0, 0, UNITS : 2 * UNITS]
    assert forget.tolist() == [1.0] * UNITS
    block = alone.get_parameter("weight_hh_0")[0, :, :UNITS].double()
    identity = torch.eye(UNITS, dtype=torch.float64)
    torch.testing.assert_close(block.t() @ block, identity, rtol=0, atol=1e-5)
