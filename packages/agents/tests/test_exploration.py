"""Exploration: schedules, epsilon-greedy actions, noise, and numbers drawn in blocks."""

import pytest
import torch

from coterie_agents._exploration.draws import Draws
from coterie_agents._exploration.epsilon import epsilon_greedy
from coterie_agents._exploration.noise import OrnsteinUhlenbeckNoise, gaussian_noise
from coterie_agents._exploration.schedule import linear_schedule


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_linear_schedules_of_members():
    first, last = torch.tensor([1.0, 0.5]), torch.tensor([0.1, 0.5])
    over = torch.tensor([100.0, 10.0])
    found = [linear_schedule(first, last, over, step).tolist() for step in (0, 50, 100, 1000)]
    for (mine, other), expected in zip(found, (1.0, 0.55, 0.1, 0.1), strict=True):
        assert mine == pytest.approx(expected)
        assert other == 0.5


def test_epsilon_greedy_by_hand():
    best = torch.tensor([[2, 2, 2], [0, 0, 0]])
    uniforms = torch.tensor(
        [[[0.1, 0.0], [0.29, 0.99], [0.3, 0.0]], [[0.0, 0.0], [0.5, 0.9], [0.99, 0.34]]]
    ).double()
    found = epsilon_greedy(best, uniforms, torch.tensor([0.3, 1.0]).double(), 3)
    assert found.tolist() == [[0, 2, 2], [0, 2, 1]]
    never = epsilon_greedy(best, uniforms, torch.zeros(2).double(), 3)
    assert torch.equal(never, best)


def test_random_actions_are_uniform():
    uniforms = torch.rand(1, 30_000, 2, generator=generators(0)[0], dtype=torch.float64)
    best = torch.zeros(1, 30_000, dtype=torch.int64)
    found = epsilon_greedy(best, uniforms, torch.tensor([0.6]).double(), 4).flatten().bincount()
    expected = torch.tensor([0.4 + 0.15, 0.15, 0.15, 0.15]) * 30_000
    assert ((found - expected).square() / expected).sum() < 16.3


def test_gaussian_noise_has_a_deviation_per_member():
    normals = torch.randn(2, 1000, 5, generator=generators(0)[0])
    noise = gaussian_noise(normals, torch.tensor([0.1, 3.0]))
    assert noise[0].std().item() == pytest.approx(0.1, rel=0.05)
    assert noise[1].std().item() == pytest.approx(3.0, rel=0.05)


def test_drifting_noise_by_hand():
    noise = OrnsteinUhlenbeckNoise(2, 2, 1)
    sigma, theta = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.25])
    ones = torch.ones(2, 2, 1)
    none = torch.zeros(4, dtype=torch.bool)
    for _ in range(2):  # asking twice changes nothing
        assert noise.next(ones, sigma, theta).flatten().tolist() == [1, 1, 2, 2]
    noise.advance(none)
    assert noise.next(ones, sigma, theta).flatten().tolist() == [1.5, 1.5, 3.5, 3.5]
    noise.advance(torch.tensor([False, True, True, False]))
    assert noise.value.flatten().tolist() == [1.5, 0.0, 0.0, 3.5]
    other = OrnsteinUhlenbeckNoise(2, 2, 1)
    for member in range(2):
        other.load(noise.state(member), member)
    assert torch.equal(noise.next(ones, sigma, theta), other.next(ones, sigma, theta))


def test_drifting_noise_has_the_stationary_deviation():
    noise = OrnsteinUhlenbeckNoise(1, 2000, 1)
    sigma, theta = torch.tensor([0.3]), torch.tensor([0.2])
    generator = generators(0)[0]
    for _ in range(60):
        noise.next(torch.randn(1, 2000, 1, generator=generator), sigma, theta)
        noise.advance(torch.zeros(2000, dtype=torch.bool))
    # x' = (1 - theta) x + sigma e has the variance sigma^2 / (1 - (1 - theta)^2).
    expected = 0.3 / (1 - 0.8**2) ** 0.5
    assert noise.value.std().item() == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_members_draw_alike_alone_and_together(kind):
    together = Draws(generators(1, 2, 3), (4,), kind, rows=5)
    alone = Draws(generators(2), (4,), kind, rows=5)
    for _ in range(13):
        assert torch.equal(together.take()[1], alone.take()[0])


def test_a_row_stays_until_it_is_used():
    draws = Draws(generators(1), (3,), "normal", rows=2)
    first = draws.current()
    assert torch.equal(draws.current(), first)
    draws.advance()
    assert not torch.equal(draws.current(), first)


@pytest.mark.parametrize("taken", [0, 1, 3, 5, 7])
def test_state_of_draws(taken):
    sources = generators(1, 2)
    draws = Draws(sources, (3,), "uniform", rows=5)
    for _ in range(taken):
        draws.take()
    state = [draws.state(member) for member in range(2)]
    copies = generators(0, 0)
    for generator, source in zip(copies, sources, strict=True):
        generator.set_state(source.get_state())
    other = Draws(copies, (3,), "uniform", rows=5)
    for member in range(2):
        other.load(state[member], member)
    for _ in range(12):
        assert torch.equal(draws.take(), other.take())
