"""Running statistics against numpy."""

import numpy as np
import torch

from coterie.testing import assert_same_state
from coterie_agents import RunningStandardScaler


def test_statistics_of_batches_are_those_of_the_whole():
    random = np.random.default_rng(0)
    whole = random.normal(5.0, 3.0, size=(2, 60, 3))
    whole[1] *= 10
    scaler = RunningStandardScaler(2, (3,), dtype=torch.float64)
    for batch in np.split(whole, [7, 30, 31], axis=1):
        scaler.update(torch.from_numpy(batch))
    np.testing.assert_allclose(scaler.mean, whole.mean(1), rtol=1e-12)
    np.testing.assert_allclose(scaler.variance, whole.var(1), rtol=1e-12)
    scaled = scaler.scale(torch.from_numpy(whole))
    np.testing.assert_allclose(scaled.mean(1), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(1, correction=0), 1, rtol=1e-6)
    np.testing.assert_allclose(scaler.unscale(scaled), whole, rtol=1e-9)


def test_only_samples_with_weight_count():
    values = torch.tensor([[[1.0], [float("nan")], [3.0]], [[2.0], [4.0], [9.0]]])
    weights = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    scaler = RunningStandardScaler(2, (1,))
    scaler.update(values, weights)
    assert scaler.count.tolist() == [2.0, 0.0]
    assert scaler.mean.flatten().tolist() == [2.0, 0.0]
    assert scaler.variance.flatten().tolist() == [1.0, 1.0]


def test_numbers_without_a_shape():
    scaler = RunningStandardScaler(1, (), clip=None)
    scaler.update(torch.tensor([[0.0, 10.0]]))
    assert scaler.scale(torch.tensor([[0.0, 10.0, 5.0]])).tolist() == [[-1.0, 1.0, 0.0]]


def test_clip():
    scaler = RunningStandardScaler(1, (1,), clip=2.0)
    assert scaler.scale(torch.tensor([[[-5.0], [1.0]]])).flatten().tolist() == [-2.0, 1.0]


def test_state_round_trip():
    scaler, other = RunningStandardScaler(1, (2,)), RunningStandardScaler(1, (2,))
    scaler.update(torch.rand(1, 9, 2, generator=torch.Generator().manual_seed(0)))
    other.load(scaler.state())
    values = torch.tensor([[[0.3, 0.7]]])
    assert torch.equal(other.scale(values), scaler.scale(values))
    values2 = torch.rand(1, 5, 2, generator=torch.Generator().manual_seed(1))
    scaler.update(values2)
    other.update(values2)
    assert torch.equal(other.mean, scaler.mean)
    assert torch.equal(other.variance, scaler.variance)


def test_only_chosen_members_take_statistics():
    values = torch.tensor([[[1.0], [3.0]], [[2.0], [4.0]]], dtype=torch.float64)
    scaler, alone = (RunningStandardScaler(2, (1,), dtype=torch.float64) for _ in range(2))
    for each in (scaler, alone):
        each.update(values / 3)
    scaler.update(values, None, torch.tensor([False, True]))
    before = alone.state(0)
    alone.update(values)
    assert_same_state(scaler.state(0), before)
    assert_same_state(scaler.state(1), alone.state(1))
    assert torch.equal(scaler.scale(values)[1], alone.scale(values)[1])
