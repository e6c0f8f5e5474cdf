"""Random streams."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coterie import GlobalStreams, derive_seed, isolated_generators
from coterie._state import read_state, write_state
from coterie.testing import nothing_global


@pytest.mark.parametrize(
    ("arguments", "expected"),
    # The first 8 bytes of `printf '%s' 0/agent | sha256sum`, halved, and so on.
    [
        ((0,), 0x5FECEB66FFC86F38 >> 1),
        ((0, "agent"), 0xED6ABECEA0B1CE85 >> 1),
        ((7, "train", 0, 3), 0x120D5DC799ADAB21 >> 1),
        ((-1, "eval"), 0xA1439462AB9212BB >> 1),
    ],
)
def test_seeds_never_change_between_versions(arguments, expected):
    assert derive_seed(*arguments) == expected


@given(st.integers(), st.lists(st.one_of(st.integers(), st.text()), max_size=3))
def test_seeds_fit_every_generator(seed, path):
    derived = derive_seed(seed, *path)
    assert 0 <= derived < 2**63
    torch.Generator().manual_seed(derived)


def test_integers_of_numpy_give_the_same_seeds():
    assert derive_seed(np.int64(3), "env", np.int32(1)) == derive_seed(3, "env", 1)


def draw():
    """Draw from each global generator; odd numbers of normals leave half a pair in a cache."""
    return (
        torch.rand(3).tolist(),
        torch.randn(()).item(),
        float(np.random.normal()),
        float(np.random.rand()),
        random.random(),
        random.gauss(0, 1),
    )


def draws(streams, count):
    found = []
    for _ in range(count):
        with streams.active():
            found.append(draw())
    return found


def test_two_members_do_not_disturb_each_other():
    alone = draws(GlobalStreams(1), 6)
    one, other = GlobalStreams(1), GlobalStreams(2)
    mixed = []
    for _ in range(6):
        mixed += draws(one, 1)
        draws(other, 3)
        draw()
    assert mixed == alone
    assert alone != draws(GlobalStreams(2), 6)


def test_the_cached_half_of_a_pair_belongs_to_its_owner():
    np.random.seed(0)
    random.seed(0)
    expected = [float(np.random.normal()) for _ in range(4)], [random.gauss(0, 1) for _ in range(4)]
    np.random.seed(0)
    random.seed(0)
    streams = GlobalStreams(5)
    found = [], []
    for _ in range(4):
        found[0].append(float(np.random.normal()))
        found[1].append(random.gauss(0, 1))
        draws(streams, 1)
    assert found == expected


def test_the_callers_generators_are_as_before():
    with nothing_global():
        streams = GlobalStreams(3)
        draws(streams, 2)
        streams.state_dict()


def test_also_after_an_exception():
    streams = GlobalStreams(3)

    def fail():
        with streams.active():
            draw()
            raise RuntimeError("midway")

    with nothing_global(), pytest.raises(RuntimeError):
        fail()
    whole = draws(GlobalStreams(3), 2)
    assert draws(streams, 1) == whole[1:]


def test_a_state_goes_to_a_file_and_back(tmp_path):
    streams = GlobalStreams(4)
    draws(streams, 1)
    write_state(tmp_path / "streams", streams.state_dict(), {})
    expected = draws(streams, 3)
    other = GlobalStreams(9)
    other.load_state_dict(read_state(tmp_path / "streams")[0])
    assert draws(other, 3) == expected


def test_isolated_generators():
    with nothing_global():
        with isolated_generators(1):
            first = draw()
        with isolated_generators(1):
            again = draw()
        with isolated_generators(2):
            other = draw()
    assert first == again != other
