"""The suite for environments finds out what is wrong with the cutting of states."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from coterie import EnvContractError, VectorEnv
from coterie.testing import CountingEnv, CountingTeamEnv, EnvSuite, TeamEnvSuite


class Whole(CountingEnv):
    """Refuses to be cut, in the way of the base class."""

    splits_state = VectorEnv.splits_state
    split_state = VectorEnv.split_state
    join_states = VectorEnv.join_states


class Shifted(CountingEnv):
    """Gives every part the first rows."""

    def split_state(self, state, scopes):
        return super().split_state(state, [slice(0, one.stop - one.start) for one in scopes])


class Backwards(CountingEnv):
    """Joins in the wrong order."""

    def join_states(self, states):
        return super().join_states(states[::-1])


class Mixed(CountingEnv):
    """Instances that know how many they are, so that what parts do is something else."""

    def step(self, actions):
        observations, rewards, *rest = super().step(actions)
        return observations, rewards + self.num_envs, *rest


class InPlace(CountingEnv):
    """Changes what it is to cut."""

    def split_state(self, state, scopes):
        parts = super().split_state(state, scopes)
        state["steps"].zero_()
        return parts


class Late(CountingEnv):
    """Needs to know its own number of instances."""

    def split_state(self, state, scopes):
        assert all(scope.stop <= self.num_envs for scope in scopes)
        return super().split_state(state, scopes)


def judge(kind: Any, suite: Any) -> None:
    suite.make_env = lambda count, seed: kind(count, seed=seed)
    suite.test_split_and_joined()


@pytest.mark.parametrize("kind", [Shifted, Backwards, Mixed, InPlace, Late])
def test_what_is_wrong_is_found(kind):
    judge(CountingEnv, EnvSuite())
    with pytest.raises(AssertionError):
        judge(kind, EnvSuite())


def test_teams_are_cut_with_who_is_gone():
    suite = TeamEnvSuite()
    suite.setup_method()
    judge(CountingTeamEnv, suite)


def test_what_says_nothing_can_not_be_cut():
    env = Whole(2)
    assert not env.splits_state
    env.reset()
    with pytest.raises(EnvContractError, match="testing:Counting can't split a state"):
        env.split_state(env.state_dict(), [slice(0, 1)])
    with pytest.raises(EnvContractError, match="testing:Counting can't join states"):
        env.join_states([env.state_dict()])
    with pytest.raises(pytest.skip.Exception, match="can't cut"):
        judge(Whole, EnvSuite())


def test_the_counters_of_some_instances():
    env = CountingEnv(4)
    env.reset(seed=[1, 2, 3, 4])
    env.step(torch.zeros(4, dtype=torch.int64))
    parts = env.split_state(env.state_dict(), [slice(3, 4), slice(0, 2)])
    assert [part["streams"].tolist() for part in parts] == [[4], [1, 2]]
    assert env.join_states(parts)["streams"].tolist() == [4, 1, 2]
