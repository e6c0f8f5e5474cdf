"""RMSProp against torch's, and members against each other."""

import pickle

import pytest
import torch

from coterie_agents import PopulationRMSProp

SHAPES = ((3, 4), (1, 4), (4, 2))


def draw(generator, population=1):
    return [
        torch.randn(population, *shape, generator=generator, dtype=torch.float64)
        for shape in SHAPES
    ]


def rates(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("population", [1, 3])
def test_equals_torch(population):
    generator = torch.Generator().manual_seed(0)
    mine = draw(generator, population)
    theirs = [[p[i].clone().requires_grad_() for p in mine] for i in range(population)]
    values = [0.1 / (i + 1) for i in range(population)]
    own = PopulationRMSProp(mine, population, rates(*values), decay=0.9, epsilon=1e-3)
    torches = [
        torch.optim.RMSprop(ps, lr=lr, alpha=0.9, eps=1e-3)
        for ps, lr in zip(theirs, values, strict=True)
    ]
    for _ in range(20):
        gradients = draw(generator, population)
        own.step(own.gather(gradients))
        for i, optimizer in enumerate(torches):
            for parameter, gradient in zip(theirs[i], gradients, strict=True):
                parameter.grad = gradient[i].clone()
            optimizer.step()
    for i in range(population):
        for ours, parameter in zip(mine, theirs[i], strict=True):
            torch.testing.assert_close(ours[i], parameter.detach(), rtol=0, atol=1e-12)


def test_first_step_by_hand():
    (parameter,) = parameters = [torch.tensor([[1.0, 2.0]], dtype=torch.float64)]
    own = PopulationRMSProp(parameters, 1, rates(0.1), decay=0.75, epsilon=0.5)
    own.step(torch.tensor([[2.0, -4.0]], dtype=torch.float64))
    # Mean squares 0.25 * 4 = 1 and 0.25 * 16 = 4: steps 0.1 * 2 / 1.5 and 0.1 * -4 / 2.5.
    assert parameter[0].tolist() == pytest.approx([1 - 0.2 / 1.5, 2 + 0.4 / 2.5])


def test_members_that_are_not_active_stay():
    generator = torch.Generator().manual_seed(1)
    parameters = draw(generator, 2)
    own = PopulationRMSProp(parameters, 2, rates(0.1, 0.1))
    own.step(own.gather(draw(generator, 2)))
    before = [p.clone() for p in parameters], own.state(1)
    gradients = draw(generator, 2)
    gradients[0][1] = float("nan")
    own.step(own.gather(gradients), torch.tensor([True, False]))
    for old, new in zip(before[0], parameters, strict=True):
        assert torch.equal(old[1], new[1])
        assert not torch.equal(old[0], new[0])
    assert torch.equal(own.state(1)["square"], before[1]["square"])


def test_state_round_trip_and_pickle_go_on_alike():
    generator = torch.Generator().manual_seed(3)
    parameters = draw(generator)
    own = PopulationRMSProp(parameters, 1, rates(0.1))
    own.step(own.gather(draw(generator)))
    other = PopulationRMSProp([p.clone() for p in parameters], 1, rates(0.5))
    other.load(own.state())
    pickled = pickle.loads(pickle.dumps(own))
    gradients = draw(generator)
    for each in (own, other, pickled):
        each.step(each.gather(gradients))
    for one, two, three in zip(own.parameters, other.parameters, pickled.parameters, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
