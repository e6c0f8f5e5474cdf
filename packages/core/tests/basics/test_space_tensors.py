"""gymnasium spaces as tensors."""

import gymnasium.spaces as gs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie import ConfigError
from coterie._spaces import (
    build_tree,
    check_contained,
    describe_mismatch,
    flat_size,
    flatten,
    leaf_of,
    sample_actions,
    space_leaves,
)
from coterie._trees import tree_map

_DTYPES = [np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64]
_shapes = st.lists(st.integers(1, 3), max_size=2).map(tuple)


@st.composite
def boxes(draw):
    dtype = np.dtype(draw(st.sampled_from(_DTYPES)))
    low = draw(st.sampled_from([0, -5, 3] if dtype.kind != "u" else [0, 3]))
    high = low + draw(st.integers(0, 100))
    bounds = draw(st.sampled_from(["both", "low", "high", "none"]))
    if dtype.kind == "f":
        low = -np.inf if bounds in ("high", "none") else low
        high = np.inf if bounds in ("low", "none") else high
    return gs.Box(low, high, draw(_shapes), dtype)


_simple = st.one_of(
    boxes(),
    st.builds(lambda n, start: gs.Discrete(n, start=start), st.integers(1, 9), st.integers(-4, 4)),
    st.lists(st.integers(1, 5), min_size=1, max_size=3).map(gs.MultiDiscrete),
    st.sampled_from([gs.MultiBinary(3), gs.MultiBinary([2, 2])]),
    st.just(gs.MultiDiscrete([[2, 3], [4, 1]], start=[[1, -1], [0, 7]])),
)
_spaces = st.recursive(
    _simple,
    lambda part: st.one_of(
        st.dictionaries(st.sampled_from("abc"), part, min_size=1, max_size=3).map(gs.Dict),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: gs.Tuple(tuple(parts))),
    ),
    max_leaves=5,
)


def as_tree(space, samples):
    """Stack gymnasium's samples, as an adapter does."""
    tensors = {
        leaf.path: torch.as_tensor(np.stack([np.asarray(leaf_of(s, leaf.path)) for s in samples]))
        for leaf in space_leaves(space)
    }
    return build_tree(space, tensors)


@settings(max_examples=80, deadline=None)
@given(_spaces, st.integers(0, 2**31))
def test_flatten_is_gymnasiums(space, seed):
    space.seed(seed)
    samples = [space.sample() for _ in range(3)]
    expected = np.stack([gs.flatten(space, sample) for sample in samples]).astype(np.float32)
    found = flatten(space, as_tree(space, samples))
    assert found.dtype == torch.float32
    assert found.shape == (3, flat_size(space))
    np.testing.assert_array_equal(found.numpy(), expected)


@settings(max_examples=80, deadline=None)
@given(_spaces, st.integers(0, 2**31))
def test_samples_lie_in_the_space(space, seed):
    actions = sample_actions(space, 4, torch.Generator().manual_seed(seed))
    for leaf in space_leaves(space):
        tensor = leaf_of(actions, leaf.path)
        assert (tensor.shape, tensor.dtype) == ((4, *leaf.shape), leaf.dtype)
    check_contained(space, actions)
    for row in range(4):
        value = tree_map(lambda tensor, row=row: tensor[row].numpy(), actions)
        assert space.contains(value)


@pytest.mark.parametrize(
    "space",
    [
        gs.Box(-np.inf, np.inf, (3,), np.int64),
        gs.Box(0, np.inf, (3,), np.int32),
        gs.Box(-np.inf, 5, (3,), np.int8),
        gs.Box(0, 255, (3,), np.uint8),
        gs.Box(np.array([0, -np.inf, 1], np.float16), np.array([1, 2, np.inf], np.float16)),
    ],
)
def test_samples_of_integer_and_half_bounded_boxes(space):
    values = sample_actions(space, 500, torch.Generator().manual_seed(0)).numpy()
    assert all(space.contains(value) for value in values)
    assert len(np.unique(values)) > 3


def test_a_half_bounded_box_of_integers_stays_near_its_bound():
    space = gs.Box(10, np.inf, (), np.int64)
    values = sample_actions(space, 1000, torch.Generator().manual_seed(0))
    assert values.min() == 10
    assert values.max() < 40


def test_a_box_of_integers_reaches_both_bounds():
    values = sample_actions(gs.Box(-1, 1, (), np.int64), 300, torch.Generator().manual_seed(0))
    assert values.unique().tolist() == [-1, 0, 1]


def test_one_seed_one_sample():
    space = gs.Dict({"a": gs.Box(-1, 1, (2,)), "b": gs.Discrete(5)})
    draws = [sample_actions(space, 3, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0]["a"], draws[1]["a"])
    assert not torch.equal(draws[0]["a"], draws[2]["a"])


def test_leaves_know_their_place():
    inner = gs.Tuple((gs.Discrete(3), gs.Box(0, 1, (2,))))
    space = gs.Dict({"x": inner, "y": gs.MultiBinary(4)})
    leaves = space_leaves(space)
    assert [leaf.label for leaf in leaves] == ["x.0", "x.1", "y"]
    assert [leaf.shape for leaf in leaves] == [(), (2,), (4,)]
    assert [leaf.dtype for leaf in leaves] == [torch.int64, torch.float32, torch.int8]


def test_spaces_without_tensors_are_refused():
    with pytest.raises(ConfigError, match=r"Text.*at a\.t.*allowed are Box"):
        space_leaves(gs.Dict({"a": gs.Dict({"t": gs.Text(5)})}))


def test_an_action_outside_is_named():
    with pytest.raises(ValueError, match="instance 1 is not in"):
        check_contained(gs.Discrete(3, start=1), torch.tensor([1, 0]))


_BOX = gs.Box(-1, 1, (2,))


@pytest.mark.parametrize(
    ("agent", "env"),
    [
        (_BOX, gs.Box(-1, 1, (3,))),
        (_BOX, gs.Box(-1, 1, (2,), np.float64)),
        (_BOX, gs.Discrete(2)),
        (gs.Discrete(3), gs.Discrete(4)),
        (gs.Discrete(3), gs.Discrete(3, start=1)),
        (gs.MultiDiscrete([2, 3]), gs.MultiDiscrete([3, 2])),
        (gs.MultiDiscrete([2, 3]), gs.MultiDiscrete([2, 3], start=[0, 1])),
        (gs.MultiBinary(4), gs.MultiBinary([2, 2])),
        (gs.Dict({"a": _BOX}), gs.Dict({"b": _BOX})),
        (
            gs.Dict({"a": gs.Discrete(2), "b": gs.Discrete(3)}),
            gs.Dict({"a": gs.Discrete(3), "b": gs.Discrete(2)}),
        ),
        (
            gs.Tuple((gs.Discrete(2), gs.Discrete(3))),
            gs.Tuple((gs.Discrete(3), gs.Discrete(2))),
        ),
    ],
)
def test_spaces_that_do_not_fit(agent, env):
    sentence = describe_mismatch(agent, env)
    assert sentence is not None
    assert str(agent) in sentence
    assert str(env) in sentence


@pytest.mark.parametrize(
    ("agent", "env"),
    [
        (_BOX, gs.Box(-5, 9, (2,))),
        (gs.Dict({"a": _BOX, "b": gs.Discrete(2)}), gs.Dict({"b": gs.Discrete(2), "a": _BOX})),
        (None, _BOX),
        (_BOX, None),
        (gs.Discrete(2), gs.Discrete(2, seed=5)),
    ],
)
def test_spaces_that_fit(agent, env):
    assert describe_mismatch(agent, env) is None
