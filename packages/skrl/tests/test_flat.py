import numpy as np
import pytest
import torch
from gymnasium import spaces
from skrl.utils.spaces.torch import flatten_tensorized_space, tensorize_space

from coterie.spaces import tree_leaves
from coterie_skrl._spaces import Flat

SPACES = {
    "vector": spaces.Box(-1, 1, (3,), np.float32),
    "double": spaces.Box(-1, 1, (3,), np.float64),
    "image": spaces.Box(0, 255, (2, 4, 3), np.uint8),
    "discrete": spaces.Discrete(5),
    "multi": spaces.MultiDiscrete([3, 4]),
    "dict": spaces.Dict({"b": spaces.Box(-1, 1, (2, 2)), "a": spaces.Discrete(3)}),
    "tuple": spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (2,)))),
}


def batch(space, count):
    """Values of a space as Coterie's environments give them."""
    if isinstance(space, spaces.Dict):
        return {key: batch(part, count) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(batch(part, count) for part in space.spaces)
    return torch.from_numpy(np.stack([np.asarray(space.sample()) for _ in range(count)]))


@pytest.mark.parametrize("name", SPACES)
def test_values_come_back_as_they_were(name):
    space = SPACES[name]
    values = batch(space, 6)
    found = Flat(space).unflatten(Flat(space).flatten(values))
    for one, other in zip(tree_leaves(values), tree_leaves(found), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one.float(), other.float())


@pytest.mark.parametrize("name", ["vector", "image", "discrete", "multi", "dict"])
def test_a_matrix_is_the_one_that_skrl_makes(name):
    space = SPACES[name]
    values = batch(space, 4)
    given = (
        {key: part.numpy() for key, part in values.items()}
        if isinstance(values, dict)
        else values.numpy()
    )
    expected = flatten_tensorized_space(tensorize_space(space, given, device="cpu"))
    assert torch.equal(Flat(space).flatten(values).float(), expected.float())


def test_no_values_stay_none():
    assert Flat(SPACES["vector"]).flatten(None) is None


def test_fractions_of_a_space_of_integers_are_refused():
    with pytest.raises(ValueError, match=r"torch.uint8.*such as 0\.5.*float32"):
        Flat(SPACES["image"]).unflatten(torch.full((1, 24), 0.5))
