"""What an environment returns is held against its spaces."""

import warnings

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import EnvContractError
from coterie._envs.checks import Checks
from coterie.testing import CountingEnv

NESTED = spaces.Dict(
    {
        "camera": spaces.Box(0, 255, (2, 2), np.uint8),
        "pair": spaces.Tuple((spaces.Discrete(3), spaces.Box(-1, 1, (2,), np.float32))),
    }
)


def checks(space=None, non_finite="raise", num_envs=4):
    env = CountingEnv(num_envs, state=True)
    env.name = "toy"
    env.observation_space = space or env.observation_space
    return Checks(env, non_finite)


def nested():
    pair = (torch.zeros(4, dtype=torch.int64), torch.zeros(4, 2))
    return {"camera": torch.zeros(4, 2, 2, dtype=torch.uint8), "pair": pair}


def test_what_fits_passes():
    checks().observations(torch.zeros(4, 3), 0)
    checks(NESTED).observations(nested(), 0)
    checks().outcome(torch.zeros(4), torch.zeros(4) > 0, torch.zeros(4) > 0, 0)
    checks().states(torch.zeros(4, 3), None)


@pytest.mark.parametrize(
    ("observations", "words"),
    [
        (torch.zeros(4, 2), "expected (4, 3) float32 on cpu, got (4, 2) float32 on cpu"),
        (torch.zeros(3, 3), "got (3, 3)"),
        (torch.zeros(4, 3, 1), "got (4, 3, 1)"),
        (torch.zeros(4, 3).double(), "got (4, 3) float64"),
        (torch.zeros(4, 3, device="meta"), "on meta"),
        (np.zeros((4, 3), np.float32), "expected a tensor, got ndarray"),
        (None, "expected a tensor, got NoneType"),
    ],
)
def test_wrong_observations_are_named(observations, words):
    with pytest.raises(EnvContractError) as caught:
        checks().observations(observations, 17)
    assert str(caught.value).startswith("toy, at step 17: observations: ")
    assert words in str(caught.value)


def test_a_part_of_a_tree_is_named():
    tree = nested()
    tree["pair"] = (tree["pair"][0], torch.zeros(4, 5))
    with pytest.raises(EnvContractError, match=r"toy, at reset: observations\.pair\.1: .*\(4, 5\)"):
        checks(NESTED).observations(tree, None)


@pytest.mark.parametrize(
    "tree",
    [{}, {"camera": nested()["camera"]}, {**nested(), "pair": ()}, torch.zeros(4, 3), None, 5],
    ids=["empty", "no pair", "short pair", "a tensor", "none", "a number"],
)
def test_a_missing_part_is_named(tree):
    with pytest.raises(EnvContractError, match=r"observations\.(camera|pair\.0): .*missing"):
        checks(NESTED).observations(tree, 0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_rewards_and_flags(place):
    name = ("rewards", "terminated", "truncated")[place]
    for wrong in (torch.zeros(4, 1), torch.zeros(3), torch.zeros(4, dtype=torch.int64), [0.0] * 4):
        parts = [torch.zeros(4), torch.zeros(4) > 0, torch.zeros(4) > 0]
        parts[place] = wrong
        with pytest.raises(EnvContractError, match=f"toy, at step 3: {name}: expected"):
            checks().outcome(*parts, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_names_its_instances(value):
    observations = torch.zeros(4, 3)
    observations[1, 2] = observations[3, 0] = value
    with pytest.raises(EnvContractError, match=r"observations: NaN or infinity in instances 1, 3 "):
        checks().observations(observations, 0)
    rewards = torch.tensor([0.0, 0.0, value, 0.0])
    with pytest.raises(EnvContractError, match="rewards: NaN or infinity in instances 2 "):
        checks().outcome(rewards, rewards > 1e9, rewards > 1e9, 0)
    with pytest.raises(EnvContractError, match="state: NaN"):
        checks().states(observations, 0)


def test_infinities_that_cancel_are_found():
    observations = torch.zeros(4, 3)
    observations[0, 0], observations[0, 1] = np.inf, -np.inf
    with pytest.raises(EnvContractError, match="instances 0 "):
        checks().observations(observations, 0)


def test_many_instances_are_cut_short():
    with pytest.raises(EnvContractError, match=r"instances 0, 1, 2, 3, 4, 5, 6, 7 … "):
        checks(num_envs=20).observations(torch.full((20, 3), np.nan), 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_sum_that_overflows_is_no_alarm(dtype):
    space = spaces.Box(-np.inf, np.inf, (3,), {torch.float16: np.float16}.get(dtype, np.float32))
    largest = torch.full((4, 3), torch.finfo(dtype).max, dtype=dtype)
    assert not torch.isfinite(largest.sum())
    checks(space).observations(largest, 0)


def test_warn_and_ignore():
    bad = torch.full((4, 3), np.nan)
    with pytest.warns(UserWarning, match="toy, at step 5: observations: NaN"):
        checks(non_finite="warn").observations(bad, 5)
    with pytest.warns(UserWarning, match="toy, at reset: "):
        checks(non_finite="warn").observations(bad, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks(non_finite="ignore").observations(bad, 5)
    with pytest.raises(EnvContractError):
        checks(non_finite="ignore").observations(torch.zeros(4, 2), 5)
