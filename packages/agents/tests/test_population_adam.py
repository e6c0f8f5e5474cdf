"""The optimiser against torch's, and members against each other."""

import pickle

import pytest
import torch

from coterie_agents import PopulationAdam
from coterie_agents._optim.adam import clip_by_norm
from coterie_agents._optim.schedule import adapt_to_kl, linear_decay

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
    adam = PopulationAdam(mine, population, rates(*values), epsilon=1e-5)
    torches = [torch.optim.Adam(ps, lr=lr, eps=1e-5) for ps, lr in zip(theirs, values, strict=True)]
    for _ in range(20):
        gradients = draw(generator, population)
        adam.step(adam.gather(gradients))
        for i, optimizer in enumerate(torches):
            for parameter, gradient in zip(theirs[i], gradients, strict=True):
                parameter.grad = gradient[i].clone()
            optimizer.step()
    for i in range(population):
        for ours, parameter in zip(mine, theirs[i], strict=True):
            torch.testing.assert_close(ours[i], parameter.detach(), rtol=0, atol=1e-12)


def test_members_that_are_not_active_stay():
    generator = torch.Generator().manual_seed(1)
    parameters = draw(generator, 2)
    adam = PopulationAdam(parameters, 2, rates(0.1, 0.1))
    adam.step(adam.gather(draw(generator, 2)))
    before = [p.clone() for p in parameters], adam.state(1)
    gradients = draw(generator, 2)
    gradients[0][1] = float("nan")
    adam.step(adam.gather(gradients), torch.tensor([True, False]))
    for old, new in zip(before[0], parameters, strict=True):
        assert torch.equal(old[1], new[1])
        assert not torch.equal(old[0], new[0])
    after = adam.state(1)
    assert after["steps"] == before[1]["steps"] == 1
    assert torch.equal(after["mean"], before[1]["mean"])
    assert torch.equal(after["variance"], before[1]["variance"])
    assert adam.steps.tolist() == [2.0, 1.0]


def test_missing_gradients_count_as_zero():
    parameters = draw(torch.Generator().manual_seed(2))
    adam = PopulationAdam(parameters, 1, rates(0.1))
    before = parameters[1].clone()
    flat = adam.gather([torch.ones_like(parameters[0]), None, torch.ones_like(parameters[2])])
    assert flat.tolist() == [[1.0] * 12 + [0.0] * 4 + [1.0] * 8]
    adam.step(flat)
    assert torch.equal(parameters[1], before)


def test_state_round_trip_and_pickle_go_on_alike():
    generator = torch.Generator().manual_seed(3)
    parameters = draw(generator)
    adam = PopulationAdam(parameters, 1, rates(0.1))
    adam.step(adam.gather(draw(generator)))
    other = PopulationAdam([p.clone() for p in parameters], 1, rates(0.5))
    other.load(adam.state())
    pickled = pickle.loads(pickle.dumps(adam))
    gradients = draw(generator)
    for each in (adam, other, pickled):
        each.step(each.gather(gradients))
    for one, two, three in zip(adam.parameters, other.parameters, pickled.parameters, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)


def test_clip_by_norm_is_per_member():
    gradient = torch.tensor([[3.0, 4.0], [0.3, 0.4]], dtype=torch.float64)
    norms = clip_by_norm(gradient, torch.tensor([1.0, 1.0], dtype=torch.float64))
    assert norms.tolist() == pytest.approx([5.0, 0.5])
    assert gradient[0].tolist() == pytest.approx([0.6, 0.8], rel=1e-6)
    assert gradient[1].tolist() == [0.3, 0.4]


def test_adaptive_rate():
    new = adapt_to_kl(
        rates(1.0, 1.0, 1.0, 1.0, 1e-6, 9.0),
        rates(0.03, 0.01, 0.004, 0.0, 0.03, 0.001),
        rates(*[0.01] * 6),
        low=1e-6,
        high=10.0,
    )
    assert new.tolist() == pytest.approx([1 / 1.5, 1.0, 1.5, 1.0, 1e-6, 10.0])


def test_linear_rate():
    assert linear_decay(rates(1.0, 2.0), 25, 100).tolist() == [0.75, 1.5]
    assert linear_decay(rates(1.0), 200, 100).tolist() == [0.0]
