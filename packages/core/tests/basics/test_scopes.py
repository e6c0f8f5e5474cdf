"""Which instances belong to which agent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import ConfigError
from coterie._scopes import resolve_scopes


@given(st.integers(1, 50), st.integers(0, 200))
def test_equal_scopes_cover_everything_and_the_last_takes_the_remainder(agents, more):
    num_envs = agents + more
    scopes = resolve_scopes(None, agents, num_envs)
    rows = [row for scope in scopes for row in range(scope.start, scope.stop)]
    assert rows == list(range(num_envs))
    sizes = [scope.stop - scope.start for scope in scopes]
    assert set(sizes[:-1]) <= {num_envs // agents}
    assert sizes[-1] == num_envs // agents + num_envs % agents


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_given_sizes_are_taken_in_order_and_not_changed(sizes):
    given_sizes = list(sizes)
    scopes = resolve_scopes(given_sizes, len(sizes), sum(sizes))
    assert [scope.stop - scope.start for scope in scopes] == sizes
    assert [scope.start for scope in scopes] == [sum(sizes[:k]) for k in range(len(sizes))]
    assert given_sizes == sizes


@given(st.lists(st.integers(-3, 9), max_size=6), st.integers(1, 6), st.integers(1, 30))
def test_sizes_are_taken_or_refused_and_nothing_else(sizes, agents, num_envs):
    fits = (
        agents <= num_envs and len(sizes) == agents and sum(sizes) == num_envs and min(sizes) >= 1
    )
    try:
        resolve_scopes(sizes, agents, num_envs)
        assert fits
    except ConfigError:
        assert not fits


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([4, 4, 4], ["3 scopes for 2 agents"]),
        ([4], ["1 scopes for 2 agents"]),
        ([], ["0 scopes for 2 agents"]),
        ([4, 5], ["sum to 9", "8 instances"]),
        ([0, 8], ["scopes[0]=0", "at least 1 instance"]),
        ([9, -1], ["scopes[1]=-1", "at least 1 instance"]),
        ([True, 7], ["scopes[0]=True", "must be an integer, got bool"]),
        ([np.True_, 7], ["scopes[0]", "must be an integer"]),
        ([4.0, 4], ["scopes[0]=4.0", "must be an integer, got float"]),
        ([4, "4"], ["scopes[1]='4'", "must be an integer, got str"]),
        ([None, 8], ["scopes[0]=None"]),
        ("44", ["must be a list of integers"]),
        (b"\x04\x04", ["must be a list of integers"]),
        (8, ["must be a list of integers", "8"]),
        ({4: 4}, ["must be a list of integers"]),
    ],
)
def test_what_does_not_fit_is_named(sizes, words):
    with pytest.raises(ConfigError) as caught:
        resolve_scopes(sizes, 2, 8)
    assert all(word in str(caught.value) for word in words)


def test_all_problems_at_once():
    with pytest.raises(ConfigError) as caught:
        resolve_scopes([0, True, 4.5], 2, 8)
    for word in ("scopes[0]=0", "scopes[1]=True", "scopes[2]=4.5", "3 scopes for 2 agents"):
        assert word in str(caught.value)


def test_more_agents_than_instances():
    with pytest.raises(ConfigError, match=r"3 agents need at least 3 instances, .* has 2"):
        resolve_scopes(None, 3, 2)


def test_integers_of_numpy_are_integers():
    scopes = resolve_scopes([np.int64(3), np.uint8(5)], 2, 8)
    assert scopes == (slice(0, 3), slice(3, 8))
    assert all(type(part) is int for scope in scopes for part in (scope.start, scope.stop))
