from __future__ import annotations

import gymnasium
import pytest
import torch

from coterie import EnvContractError, derive_seed
from coterie_envs import GymnasiumAdapter


def firsts(*seeds: int) -> list[list[float]]:
    return [gymnasium.make("CartPole-v1").reset(seed=seed)[0].tolist() for seed in seeds]


@pytest.fixture
def sync():
    return GymnasiumAdapter().make("CartPole-v1", num_envs=3, seed=11, vectorization="sync")


def test_a_seed_per_instance(sync):
    assert sync.independent_streams is True
    observations, _ = sync.reset(seed=[5, 2, 5])
    assert observations.tolist() == firsts(5, 2, 5)


def test_one_seed_is_spread_as_gymnasium_does(sync):
    assert sync.reset(seed=4)[0].tolist() == firsts(4, 5, 6)


def test_the_first_reset_uses_the_seed_that_it_was_made_with(sync):
    first = sync.reset()[0]
    assert first.tolist() == firsts(11, 12, 13)
    assert not torch.equal(sync.reset()[0], first)


def test_large_seeds_are_folded(sync):
    large = derive_seed(3, "instance", 0)
    assert large > 2**32
    observations, _ = sync.reset(seed=[large, 2**31 + 7, 1])
    assert observations.tolist() == firsts(large % 2**31, 7, 1)


def test_wrong_seeds_are_refused(sync):
    with pytest.raises(ValueError, match="expected 3 seeds, one per instance, got 2"):
        sync.reset(seed=[1, 2])
    with pytest.raises(ValueError, match="got -1"):
        sync.reset(seed=[1, 2, -1])
    with pytest.raises(ValueError, match="got -3"):
        sync.reset(seed=-3)


def test_shared_streams_take_one_seed_only():
    env = GymnasiumAdapter().make("CartPole-v1", num_envs=2, seed=3)
    bare = gymnasium.make_vec("CartPole-v1", 2)
    assert env.independent_streams is False
    assert env.reset()[0].tolist() == bare.reset(seed=3)[0].tolist()
    assert env.reset(seed=8)[0].tolist() == bare.reset(seed=8)[0].tolist()
    with pytest.raises(EnvContractError, match='vectorization="sync"'):
        env.reset(seed=[1, 2])


def test_an_instance_does_not_depend_on_its_neighbours():
    """The same seeds give the same episodes in another place, also over resets."""
    adapter = GymnasiumAdapter()
    many = adapter.make("CartPole-v1", num_envs=4, vectorization="sync")
    alone = adapter.make("CartPole-v1", num_envs=1, vectorization="sync")
    many.reset(seed=[1, 2, 3, 4])
    alone.reset(seed=[3])
    for step in range(60):
        actions = torch.tensor([step % 2, 0, (step // 3) % 2, 1])
        several, *_ = many.step(actions)
        one, *_ = alone.step(actions[2:3])
        assert torch.equal(several[2:3], one)
