"""Distributions against torch.distributions, and action spaces."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import distributions

from coterie import ConfigError
from coterie_agents._heads.build import build_head

CPU = torch.device("cpu")


def outputs(head, batch=50, population=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(population, batch, head.size, generator=generator, dtype=torch.float64)


def noise(head, batch=50, population=2):
    return head.noise((population, batch), torch.Generator().manual_seed(1)).double()


def check(head, log_std, reference):
    means = outputs(head)
    actions = head.sample(means, log_std, noise(head))
    log_prob, entropy = head.evaluate(means, log_std, actions)
    wanted_log_prob, wanted_entropy = reference(means, actions)
    torch.testing.assert_close(log_prob, wanted_log_prob)
    torch.testing.assert_close(entropy, wanted_entropy)


def test_discrete():
    def reference(logits, actions):
        family = distributions.Categorical(logits=logits)
        return family.log_prob(actions.squeeze(-1)), family.entropy()

    check(build_head(spaces.Discrete(4), CPU), None, reference)


def test_multi_discrete():
    def reference(logits, actions):
        families = [distributions.Categorical(logits=part) for part in logits.split((2, 3), -1)]
        log_prob = sum(f.log_prob(actions[..., i]) for i, f in enumerate(families))
        return log_prob, sum(f.entropy() for f in families)

    check(build_head(spaces.MultiDiscrete([2, 3]), CPU), None, reference)


def test_multi_binary():
    def reference(logits, actions):
        family = distributions.Bernoulli(logits=logits)
        return family.log_prob(actions.double()).sum(-1), family.entropy().sum(-1)

    check(build_head(spaces.MultiBinary(3), CPU), None, reference)


def test_box():
    log_std = torch.tensor([[0.1, -1.0], [0.5, 0.0]], dtype=torch.float64)

    def reference(means, actions):
        family = distributions.Normal(means, log_std.exp().unsqueeze(1).expand_as(means))
        return family.log_prob(actions).sum(-1), family.entropy().sum(-1)

    check(build_head(spaces.Box(-1, 1, (2,)), CPU), log_std, reference)


@pytest.mark.parametrize("count", [2, 5])
def test_samples_have_the_right_frequencies(count):
    head = build_head(spaces.Discrete(count), CPU)
    logits = outputs(head, batch=1, population=1).expand(1, 40_000, count)
    drawn = head.sample(logits, None, noise(head, 40_000, 1)).flatten()
    found = torch.bincount(drawn, minlength=count) / 40_000
    torch.testing.assert_close(found.double(), torch.softmax(logits[0, 0], -1), rtol=0, atol=0.012)


def test_bits_have_the_right_frequencies():
    head = build_head(spaces.MultiBinary(2), CPU)
    logits = torch.tensor([1.5, -0.5], dtype=torch.float64).expand(1, 40_000, 2)
    drawn = head.sample(logits, None, noise(head, 40_000, 1)).double().mean(1).flatten()
    torch.testing.assert_close(drawn, torch.sigmoid(logits[0, 0]), rtol=0, atol=0.012)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3, start=-1),
        spaces.MultiDiscrete([[2, 3], [4, 2]], start=[[1, 0], [5, -3]]),
        spaces.MultiBinary((2, 2)),
        spaces.Box(-0.5, 0.5, (2, 3), np.float32),
        spaces.Box(np.array([-np.inf, 0]), np.array([1, np.inf]), dtype=np.float64),
        spaces.Box(-np.inf, np.inf, (), np.float32),
    ],
    ids=str,
)
def test_actions_lie_in_their_space(space):
    head = build_head(space, CPU)
    log_std = torch.full((1, head.size), 1.0) if head.learns_log_std else None
    means = outputs(head, 64, 1).float()
    stored = head.sample(means, log_std, head.noise((1, 64), torch.Generator().manual_seed(0)))
    assert stored.shape == (1, 64, head.action_size)
    acted = head.to_env(stored.flatten(0, 1))
    for value in acted.numpy():
        assert space.contains(np.asarray(value, space.dtype))
    again = head.to_env(head.from_env(acted))
    assert torch.equal(again, acted)


def test_bounds_do_not_touch_what_is_learned_from():
    head = build_head(spaces.Box(-1, 1, (1,)), CPU)
    stored = torch.tensor([[[5.0], [-7.0], [0.5]]])
    assert head.to_env(stored.flatten(0, 1)).flatten().tolist() == [1.0, -1.0, 0.5]
    assert stored.flatten().tolist() == [5.0, -7.0, 0.5]


@pytest.mark.parametrize(
    "space",
    [
        spaces.Dict({"a": spaces.Discrete(2)}),
        spaces.Tuple([spaces.Discrete(2)]),
        spaces.Box(0, 5, (2,), np.int64),
        spaces.Text(3),
    ],
    ids=lambda space: type(space).__name__,
)
def test_other_spaces_are_refused(space):
    with pytest.raises(ConfigError, match="allowed are Discrete, MultiDiscrete, MultiBinary"):
        build_head(space, CPU)
