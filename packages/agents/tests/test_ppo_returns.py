"""Advantages against numbers computed by hand."""

import torch

from coterie_agents import gae

HALF = torch.tensor([0.5], dtype=torch.float64)


def column(*values):
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


def flags(*values):
    return torch.tensor(values).reshape(-1, 1, 1)


def compute(rewards, values, next_values, terminated, truncated, valid=None):
    advantages, returns = gae(
        column(*rewards),
        column(*values),
        column(*next_values),
        flags(*terminated),
        flags(*truncated),
        HALF,
        HALF,
        None if valid is None else flags(*valid),
    )
    return advantages.flatten().tolist(), returns.flatten().tolist()


def test_plain_rollout():
    # delta = r + 0.5 V' - V: 1 + 2 - 2 = 1; 2 + 4 - 4 = 2; 3 + 5 - 8 = 0
    # A2 = 0; A1 = 2 + 0.25 * 0; A0 = 1 + 0.25 * 2
    advantages, returns = compute([1, 2, 3], [2, 4, 8], [4, 8, 10], [False] * 3, [False] * 3)
    assert advantages == [1.5, 2.0, 0.0]
    assert returns == [3.5, 6.0, 8.0]


def test_terminal_state_has_value_zero_and_stops_the_sum():
    # delta1 = 2 + 0 - 4 = -2; A0 = 1 + 0.25 * -2
    advantages, _ = compute([1, 2, 3], [2, 4, 8], [4, 99, 10], [False, True, False], [False] * 3)
    assert advantages == [0.5, -2.0, 0.0]


def test_truncation_bootstraps_from_the_final_observation_and_stops_the_sum():
    # V(final) = 6: delta1 = 2 + 3 - 4 = 1, nothing of A2 = 3 + 6 - 8 = 1; A0 = 1 + 0.25 * 1
    advantages, _ = compute([1, 2, 3], [2, 4, 8], [4, 6, 12], [False] * 3, [False, True, False])
    assert advantages == [1.25, 1.0, 1.0]


def test_termination_wins_over_truncation():
    advantages, _ = compute([1], [2], [50], [True], [True])
    assert advantages == [-1.0]


def test_nothing_flows_through_a_reset_step():
    # Step 1 ends the episode, step 2 only resets it: the advantage of 2 is 0 whatever it holds.
    nan = float("nan")
    advantages, returns = compute(
        [1, 2, nan, 4],
        [2, 4, 7, 2],
        [4, 99, nan, 4],
        [False, True, False, False],
        [False] * 4,
        valid=[True, True, False, True],
    )
    # A3 = 4 + 2 - 2 = 4; A1 = 2 - 4 = -2; A0 = 1 + 2 - 2 + 0.25 * -2 = 0.5
    assert advantages == [0.5, -2.0, 0.0, 4.0]
    assert returns == [2.5, 2.0, 7.0, 6.0]


def test_members_have_discounts_of_their_own():
    gamma = torch.tensor([0.5, 1.0], dtype=torch.float64)
    decay = torch.tensor([1.0, 0.0], dtype=torch.float64)
    ones = torch.ones(3, 2, 1, dtype=torch.float64)
    no = torch.zeros(3, 2, 1, dtype=torch.bool)
    advantages, _ = gae(ones, 0 * ones, 0 * ones, no, no, gamma, decay)
    assert advantages[:, 0, 0].tolist() == [1.75, 1.5, 1.0]
    assert advantages[:, 1, 0].tolist() == [1.0, 1.0, 1.0]
