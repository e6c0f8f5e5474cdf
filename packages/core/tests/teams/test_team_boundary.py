"""The edge to a multi-agent environment, held against expectations written by hand.

Both instances count 1, 2, 3, 4. Actor "a" is terminated at 2, actor "b" truncated at 4 in instance
0, and at 3 in instance 1. The observation of an actor is the count, negative for "b".
"""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import EnvContractError, MultiAgentVectorEnv
from coterie._envs.team_boundary import make_boundary

ENDS = {"a": torch.tensor([2, 2]), "b": torch.tensor([4, 3])}
SIGNS = {"a": 1, "b": -1}


class Pair(MultiAgentVectorEnv):
    name = "pair"
    num_envs = 2
    device = torch.device("cpu")
    actors = ("a", "b")
    observation_space = spaces.Dict([(a, spaces.Box(-99, 99, (1,), np.float32)) for a in "ab"])
    action_space = spaces.Dict([(a, spaces.Discrete(2)) for a in "ab"])

    def __init__(self, mode=AutoresetMode.SAME_STEP, spoil=None):
        self.autoreset_mode = mode
        self.spoil = spoil or (lambda result: result)
        self.count = torch.zeros(2, dtype=torch.int64)
        self.waiting = torch.zeros(2, dtype=torch.bool)

    def values(self):
        return {a: sign * self.count.float().reshape(2, 1) for a, sign in SIGNS.items()}

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", torch.ones(2, dtype=torch.bool))
        self.count = torch.where(mask, 0, self.count)
        self.waiting = self.waiting & ~mask
        return self.values(), {}

    def step(self, actions):
        resets = self.waiting
        self.count = torch.where(resets, 0, self.count + 1)
        gone = {a: self.count > end for a, end in ENDS.items()}
        rewards = {a: torch.where(gone[a], torch.nan, self.count.float()) for a in self.actors}
        terminated = {"a": (self.count == 2) | gone["a"], "b": torch.zeros(2, dtype=torch.bool)}
        truncated = {"a": gone["a"], "b": self.count == ENDS["b"]}
        infos = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos = {"final_obs": self.values()}
            self.count = torch.where(truncated["b"], 0, self.count)
        else:
            self.waiting = truncated["b"]
        return self.spoil((self.values(), rewards, terminated, truncated, infos))


def run(env, steps):
    boundary = make_boundary(env, "raise")
    boundary.reset(0)
    actions = {a: torch.zeros(2, dtype=torch.int64) for a in "ab"}
    return [boundary.step(actions, timestep) for timestep in range(steps)]


def column(steps, field, actor, row):
    return [getattr(step, field)[actor][row].item() for step in steps]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_two_episodes_of_four_steps(mode):
    steps = run(Pair(mode), 8)
    for row, length in ((0, 4), (1, 3)):
        places = [k % length + 1 for k in range(8)]
        assert column(steps, "observations", "a", row) == [place - 1 for place in places]
        assert column(steps, "next_observations", "b", row) == [-place for place in places]
        assert column(steps, "valid", "a", row) == [place <= 2 for place in places]
        assert column(steps, "valid", "b", row) == [True] * 8
        assert column(steps, "rewards", "a", row) == [p if p <= 2 else 0 for p in places]
        assert column(steps, "rewards", "b", row) == places
        assert column(steps, "terminated", "a", row) == [place == 2 for place in places]
        assert column(steps, "truncated", "a", row) == [False] * 8
        assert column(steps, "truncated", "b", row) == [place == length for place in places]
        assert [step.done[row].item() for step in steps] == [place == length for place in places]
        assert [step.ended[row].item() for step in steps] == [place == length for place in places]
    assert not any(step.all_valid for step in steps)
    assert all("final_obs" not in step.infos for step in steps)


def test_a_step_that_only_resets_is_nobodys():
    steps = run(Pair(AutoresetMode.NEXT_STEP), 10)
    places = [1, 2, 3, 4, 0, 1, 2, 3, 4, 0]
    assert column(steps, "valid", "a", 0) == [0 < place <= 2 for place in places]
    assert column(steps, "valid", "b", 0) == [place > 0 for place in places]
    assert column(steps, "next_observations", "b", 0) == [-place for place in places]
    assert column(steps, "observations", "b", 0)[:6] == [0, -1, -2, -3, -4, 0]
    assert [step.done[0].item() for step in steps] == [place == 4 for place in places]


def test_all_valid_where_actors_end_together():
    class Together(Pair):
        actors_end_together = True

    with pytest.raises(EnvContractError, match=r"step 1: .*instances 0, 1.*actors_end_together"):
        run(Together(), 2)
    (step,) = run(Together(), 1)
    assert step.all_valid


def spoiled(place, change):
    """Replace one part of what the third step returns."""
    seen = []

    def spoil(result):
        seen.append(1)
        if len(seen) != 3:
            return result
        parts = list(result)
        parts[place] = change(parts[place])
        return tuple(parts)

    return spoil


def with_nan(tree):
    tree["b"][1] = torch.nan
    return tree


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (0, with_nan, r"observations\.b: NaN or infinity in instances 1"),
        (0, lambda t: {**t, "a": t["a"][:1]}, r"observations\.a: expected \(2, 1\) float32"),
        (0, lambda t: {"a": t["a"]}, r"observations\.b: .*missing"),
        (1, with_nan, r"rewards\.b: NaN or infinity in instances 1"),
        (1, lambda t: {**t, "b": t["b"].double()}, r"rewards\.b: expected .*float32.*float64"),
        (1, lambda t: t["a"], "rewards: expected a dict by actor, got Tensor"),
        (2, lambda t: {**t, "b": t["b"].int()}, r"terminated\.b: expected .* bool.*int32"),
        (3, lambda t: {"a": t["a"]}, r"truncated\.b: missing; there are a"),
    ],
)
def test_a_broken_promise_is_named(place, change, message):
    with pytest.raises(EnvContractError, match=f"pair, at step 2: {message}"):
        run(Pair(spoil=spoiled(place, change)), 3)


def test_a_truncated_team_needs_its_final_observations():
    spoil = spoiled(4, lambda infos: {})
    with pytest.raises(EnvContractError, match=r"at step 2.*final_obs"):
        run(Pair(spoil=spoil), 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actors": ()}, "at least one"),
        ({"actors": ["a", "b"]}, "must be a tuple"),
        ({"actors": ("b", "a")}, "in this order; give spaces.Dict a list of pairs"),
        ({"actors": ("a", "c")}, r"expected the actors \('a', 'c'\)"),
        ({"action_space": spaces.Discrete(2)}, "action_space must be a gymnasium.spaces.Dict"),
    ],
)
def test_actors_must_be_those_of_the_spaces(change, message):
    env = Pair()
    for name, value in change.items():
        setattr(env, name, value)
    with pytest.raises(EnvContractError, match=message):
        make_boundary(env, "raise")


def test_the_interface_names_the_actors():
    assert Pair().interface.actors == ("a", "b")
