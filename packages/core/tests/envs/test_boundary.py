"""The edge between the loop and the environment, held against expectations written by hand.

The instance here counts 1, 2, 3; its third step ends the episode. Instance 0 is terminated,
instance 1 truncated. The observation is the count, the state ten times that.
"""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from coterie import EnvContractError, VectorEnv
from coterie._envs.boundary import Boundary

LENGTH = 3


class ThreeSteps(VectorEnv):
    name = "three"
    num_envs = 2
    device = torch.device("cpu")
    observation_space = spaces.Box(0, 99, (1,), np.float32)
    action_space = spaces.Discrete(2)
    state_space = spaces.Box(0, 999, (1,), np.float32)

    def __init__(self, mode, *, poison=False, final_state=True, offsets=(0, 0)):
        self.autoreset_mode = mode
        self.reuses_buffers = poison
        self.poison, self.final_state = poison, final_state
        self.count = torch.tensor(offsets)
        self.offsets = self.count.clone()
        self.waiting = torch.zeros(2, dtype=torch.bool)
        self.buffers = None

    def values(self):
        return self.count.float().reshape(2, 1)

    def give(self, *tensors):
        """Hand tensors out; with poison, spoil those that were handed out before."""
        if self.poison:
            for old in self.buffers or ():
                old.fill_(-77) if old.dtype != torch.bool else old.fill_(True)
            self.buffers = [tensor.clone() for tensor in tensors]
            return self.buffers
        return tensors

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", torch.ones(2, dtype=torch.bool))
        self.count = torch.where(mask, self.offsets if seed is not None else 0, self.count)
        self.waiting = self.waiting & ~mask
        (observations,) = self.give(self.values())
        return observations, {}

    def state(self):
        return 10 * self.values()

    def step(self, actions):
        resets = self.waiting.clone()
        self.count = torch.where(resets, 0, self.count + 1)
        over = (self.count == LENGTH) & ~resets
        final, final_state = self.values(), 10 * self.values()
        infos = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            if bool(over.any()):
                infos = {"final_obs": final}
                if self.final_state:
                    infos["final_state"] = final_state
            self.count = torch.where(over, 0, self.count)
        else:
            self.waiting = over
        rewards = torch.where(resets, 0.0, final.flatten())
        first, second = torch.tensor([True, False]), torch.tensor([False, True])
        observations, rewards, terminated, truncated = self.give(
            self.values(), rewards, over & first, over & second
        )
        return observations, rewards, terminated, truncated, infos


def run(env, steps):
    boundary = Boundary(env, "raise")
    boundary.reset(0)
    found = []
    for timestep in range(steps):
        taken = boundary.step(torch.zeros(2, dtype=torch.int64), timestep)
        found.append((taken, boundary.observations, boundary.states))
    return found


def columns(found):
    """What instance 0 went through; instance 1 differs in the flags only."""
    return {
        "from": [int(t.observations[0, 0]) for t, _, _ in found],
        "to": [int(t.next_observations[0, 0]) for t, _, _ in found],
        "answers": [int(observed[0, 0]) for _, observed, _ in found],
        "valid": [int(t.valid[0]) for t, _, _ in found],
        "reward": [int(t.rewards[0]) for t, _, _ in found],
        "terminated": [t.terminated.int().tolist() for t, _, _ in found],
        "truncated": [t.truncated.int().tolist() for t, _, _ in found],
    }


RESET_AT_ONCE = {
    "from": [0, 1, 2, 0, 1, 2, 0],
    "to": [1, 2, 3, 1, 2, 3, 1],
    "answers": [1, 2, 0, 1, 2, 0, 1],
    "valid": [1, 1, 1, 1, 1, 1, 1],
    "reward": [1, 2, 3, 1, 2, 3, 1],
    "terminated": [[0, 0], [0, 0], [1, 0], [0, 0], [0, 0], [1, 0], [0, 0]],
    "truncated": [[0, 0], [0, 0], [0, 1], [0, 0], [0, 0], [0, 1], [0, 0]],
}
RESET_NEXT = {
    "from": [0, 1, 2, 3, 0, 1, 2, 3],
    "to": [1, 2, 3, 0, 1, 2, 3, 0],
    "answers": [1, 2, 3, 0, 1, 2, 3, 0],
    "valid": [1, 1, 1, 0, 1, 1, 1, 0],
    "reward": [1, 2, 3, 0, 1, 2, 3, 0],
    "terminated": [[0, 0], [0, 0], [1, 0], [0, 0], [0, 0], [0, 0], [1, 0], [0, 0]],
    "truncated": [[0, 0], [0, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 1], [0, 0]],
}
EXPECTED = {
    AutoresetMode.SAME_STEP: RESET_AT_ONCE,
    AutoresetMode.DISABLED: RESET_AT_ONCE,
    AutoresetMode.NEXT_STEP: RESET_NEXT,
}


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("poison", [False, True], ids=["plain", "poisoned"])
def test_every_autoreset_mode(mode, poison):
    expected = EXPECTED[mode]
    found = run(ThreeSteps(mode, poison=poison), len(expected["from"]))
    assert columns(found) == expected
    for taken, observed, states in found:
        assert torch.equal(taken.states, 10 * taken.observations)
        assert torch.equal(taken.next_states, 10 * taken.next_observations)
        assert torch.equal(states, 10 * observed)
        assert taken.all_valid == (mode is not AutoresetMode.NEXT_STEP)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_instances_end_on_their_own(mode):
    """Instance 1 is one step ahead: an end of the one leaves the other alone."""
    found = run(ThreeSteps(mode, offsets=(0, 1)), 4)
    to = [taken.next_observations.flatten().int().tolist() for taken, _, _ in found]
    same = mode is not AutoresetMode.NEXT_STEP
    assert to == ([[1, 2], [2, 3], [3, 1], [1, 2]] if same else [[1, 2], [2, 3], [3, 0], [0, 1]])
    valid = [taken.valid.int().tolist() for taken, _, _ in found]
    assert valid == ([[1, 1]] * 4 if same else [[1, 1], [1, 1], [1, 0], [0, 1]])


def test_a_truncated_episode_without_its_end():
    env = ThreeSteps(AutoresetMode.SAME_STEP)
    step = env.step
    env.step = lambda actions: (*step(actions)[:4], {})
    with pytest.raises(EnvContractError, match=r"three, at step 2: .*truncated.*final_obs"):
        run(env, 3)


def test_a_missing_final_state_is_no_error():
    found = run(ThreeSteps(AutoresetMode.SAME_STEP, final_state=False), 3)
    assert found[2][0].next_states.flatten().tolist() == [0, 0]
    assert found[2][0].next_observations.flatten().tolist() == [3, 3]


@pytest.mark.parametrize(
    ("final", "words"),
    [
        (torch.ones(1, 1), r"expected \(2, 1\) float32 on cpu, got \(1, 1\)"),
        (torch.ones(2, 1, dtype=torch.float64), "got .* float64"),
        (np.ones((2, 1), np.float32), "expected a tensor, got ndarray"),
        (torch.tensor([[3.0], [np.nan]]), "NaN or infinity in instances 1"),
    ],
)
def test_final_observations_are_checked_too(final, words):
    env = ThreeSteps(AutoresetMode.SAME_STEP)
    step = env.step

    def broken(actions):
        *rest, infos = step(actions)
        return *rest, ({"final_obs": final} if infos else {})

    env.step = broken
    with pytest.raises(EnvContractError, match=rf"at step 2: infos\[\"final_obs\"\]: .*{words}"):
        run(env, 3)


def test_rows_without_an_end_may_hold_anything():
    env = ThreeSteps(AutoresetMode.SAME_STEP, offsets=(0, 1))
    step = env.step

    def broken(actions):
        *rest, infos = step(actions)
        if infos:
            infos["final_obs"][~(rest[2] | rest[3])] = torch.nan
        return *rest, infos

    env.step = broken
    to = [taken.next_observations.flatten().int().tolist() for taken, _, _ in run(env, 4)]
    assert to == [[1, 2], [2, 3], [3, 1], [1, 2]]


def test_a_state_space_without_a_state():
    env = ThreeSteps(AutoresetMode.SAME_STEP)
    env.state = lambda: None
    with pytest.raises(EnvContractError, match="has a state space, but state"):
        Boundary(env, "raise").reset(0)


def test_only_the_last_user_goes_on():
    env = ThreeSteps(AutoresetMode.SAME_STEP)
    one, other = Boundary(env, "raise"), Boundary(env, "raise")
    assert not one.live
    one.reset(0)
    assert one.live
    other.reset(0)
    assert (one.live, other.live) == (False, True)
    one.claim()
    assert (one.live, other.live) == (True, False)
    one.abandon()
    assert (one.live, other.live) == (False, False)


def test_a_reset_that_fails_leaves_nothing_to_go_on_with():
    env = ThreeSteps(AutoresetMode.SAME_STEP)
    boundary = Boundary(env, "raise")
    boundary.reset(0)
    env.reset = lambda **_: (torch.zeros(1), {})
    with pytest.raises(EnvContractError, match="three, at reset: observations"):
        boundary.reset(1)
    assert not boundary.live
