from __future__ import annotations

import torch

from coterie_envs._torch.streams import advance, mix, offsets, stream_starts, uniform

CPU = torch.device("cpu")
WORD = 2**64


def reference(state: int, count: int) -> list[int]:
    """splitmix64 in Python's integers, as published."""
    outputs = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % WORD
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
        outputs.append(z ^ (z >> 31))
    return outputs


def test_published_outputs():
    """The first outputs for the state 1234567, known from many implementations."""
    outputs = mix(torch.tensor([1234567]) + offsets(3, CPU))[:, 0]
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [word % WORD for word in outputs.tolist()] == expected
    assert reference(1234567, 3) == expected


def test_draws_are_the_outputs_of_the_mixed_seed():
    seeds = [0, 1, 2**31, 2**63 - 1, 2**64 - 1, 987654321]
    draws = uniform(stream_starts(seeds, CPU), offsets(4, CPU))
    for column, seed in enumerate(seeds):
        start = reference(seed, 1)[0]
        expected = [(word >> 11) / 2**53 for word in reference(start, 4)]
        assert draws[:, column].tolist() == expected


def test_advancing_skips_outputs():
    starts = stream_starts([3, 4], CPU)
    whole = uniform(starts, offsets(15, CPU))
    last = uniform(starts + 2 * advance(5), offsets(5, CPU))
    assert torch.equal(whole[10:], last)


def test_draws_are_uniform_and_unrelated():
    draws = uniform(stream_starts(range(20_000), CPU), offsets(4, CPU))
    assert draws.dtype == torch.float64
    assert draws.min() >= 0
    assert draws.max() < 1
    assert (draws.mean(1) - 0.5).abs().max() < 0.01  # four standard errors are 0.0082
    assert (draws.var(1) - 1 / 12).abs().max() < 0.003
    between = torch.corrcoef(torch.cat((draws, draws.roll(1, 1)))) - torch.eye(8)
    assert between.abs().max() < 0.035
    assert len(draws.flatten().unique()) == draws.numel()
