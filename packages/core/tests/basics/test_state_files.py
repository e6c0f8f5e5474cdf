"""Trained state goes to disk and comes back, bit for bit."""

import math
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from coterie import CheckpointNotFound, CheckpointWriteError
from coterie._state import flatten_state, read_state, write_state
from coterie.testing import assert_same_state

_DTYPES = [
    getattr(torch, name)
    for name in [
        "float64",
        "float32",
        "float16",
        "bfloat16",
        "float8_e4m3fn",
        "float8_e5m2",
        "complex64",
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
    ]
]


def round_trip(state, folder):
    write_state(folder / "state", state, {"kind": "test"})
    found, about = read_state(folder / "state")
    assert about == {"kind": "test"}
    return found


@pytest.mark.parametrize("dtype", _DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3, 2)], ids=str)
def test_every_dtype_and_shape(tmp_path, dtype, shape):
    count = math.prod(shape)
    tensor = torch.randint(0, 2, (count * dtype.itemsize,), dtype=torch.uint8).view(dtype)
    found = round_trip({"x": tensor.reshape(shape)}, tmp_path)["x"]
    assert (found.dtype, found.shape) == (dtype, shape)
    assert torch.equal(found.reshape(-1).view(torch.uint8), tensor.view(torch.uint8))


def test_nan_payloads_and_signed_zeros_are_kept(tmp_path):
    bits = torch.tensor([0x7FC00001, 0x7F800000, -0x80000000, 1], dtype=torch.int32)
    found = round_trip({"x": bits.view(torch.float32)}, tmp_path)["x"]
    assert torch.equal(found.view(torch.int32), bits)


_plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(),
)
_keys = st.text(max_size=5).filter(lambda key: not key.startswith("$"))
_tensors = st.integers(0, 9).map(lambda number: torch.full((2,), number))
_states = st.dictionaries(
    st.one_of(_keys, st.sampled_from(["a", "b", "a/b", "", "/", "__metadata__", "0", "a'"])),
    st.recursive(
        st.one_of(_plain, _tensors),
        lambda part: st.one_of(
            st.lists(part, max_size=3),
            st.dictionaries(st.one_of(_keys, st.sampled_from(["a", "b", ""])), part, max_size=3),
        ),
        max_leaves=6,
    ),
    max_size=4,
)


def plain(value):
    """Make a state comparable with ``==``; NaN equals NaN, True is not 1."""
    if isinstance(value, torch.Tensor):
        return ("tensor", value.tolist())
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return (type(value).__name__, repr(value))


@settings(max_examples=150, deadline=None)
@given(state=_states)
def test_whatever_is_written_is_read(tmp_path_factory, state):
    folder = tmp_path_factory.getbasetemp()
    assert plain(round_trip(state, folder)) == plain(state)


def test_keys_whose_paths_read_the_same_stay_apart(tmp_path):
    state = {"a/b": torch.ones(1), "a": {"b": torch.zeros(1), "b'": torch.tensor([2.0])}}
    found = round_trip(state, tmp_path)
    assert [found["a/b"], found["a"]["b"], found["a"]["b'"]] == [1, 0, 2]


@pytest.mark.parametrize("size", [640, 1152, 1408, 19280])
def test_a_header_whose_length_looks_like_a_pickle(tmp_path, size):
    """A file starts with the header's length: 640 is 0x0280, how pickles of protocol 2 start."""
    path = tmp_path / "state"

    def length(padding):
        write_state(path, {"x": torch.ones(1)}, {"padding": "." * padding})
        return int.from_bytes(path.read_bytes()[:8], "little")

    missing = size - length(0)
    assert any(length(padding) == size for padding in range(missing - 8, missing + 1))
    assert read_state(path)[0]["x"] == 1


def test_tensors_that_share_memory_are_stored_whole(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    state = {"whole": base, "row": base[1], "column": base[:, 1], "turned": base.t(), "same": base}
    found = round_trip(state, tmp_path)
    assert_same_state(found, state)
    found["whole"].zero_()
    assert found["same"][2, 3] == 11


def test_gradients_and_conjugates_are_left_behind(tmp_path):
    weight = torch.nn.Parameter(torch.ones(2))
    found = round_trip({"w": weight * 2, "c": torch.tensor([1 + 2j]).conj()}, tmp_path)
    assert not found["w"].requires_grad
    assert found["c"].tolist() == [1 - 2j]


def test_what_was_read_does_not_change_with_the_file(tmp_path):
    found = round_trip({"x": torch.arange(100_000)}, tmp_path)
    path = tmp_path / "state"
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
    assert torch.equal(found["x"], torch.arange(100_000))


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"a": {"b": np.ones(1)}}, "a/b: .*ndarray"),
        ({"a": np.float64("nan")}, "a: .*float64"),
        ({"a": np.float32(1)}, "a: .*float32"),
        ({"a": [1, object()]}, "a/1: .*object"),
        ({"a": {1: 2}}, "a: keys must be str"),
        ({"$tensor": 1}, "state: keys must be str without"),
        ({"a": torch.eye(2).to_sparse()}, "a: .*sparse"),
        ({"a": torch.ones(1, dtype=torch.complex128)}, "a: .*complex128"),
        ({"a": {1, 2}}, "a: .*set"),
    ],
)
def test_what_is_not_plain_is_refused_and_named(tmp_path, state, place):
    with pytest.raises(TypeError, match=place):
        write_state(tmp_path / "state", state, {})
    assert list(tmp_path.iterdir()) == []


def test_tuples_become_lists():
    assert flatten_state({"a": (1, (2,))})[0] == {"a": [1, [2]]}


def test_the_old_file_stays_when_the_new_one_can_not_be_written(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_state(path, {"x": torch.ones(3)}, {})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointWriteError, match=r"state: .*No space left") as caught:
        write_state(path, {"x": torch.zeros(3)}, {})
    monkeypatch.undo()
    assert caught.value.errno == 28
    assert read_state(path)[0]["x"].tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_nothing_is_left_of_a_save_that_was_interrupted(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_state(tmp_path / "state", {"x": torch.zeros(3)}, {})
    assert list(tmp_path.iterdir()) == []


def test_places_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "state", tmp_path / "folder"):
        with pytest.raises(CheckpointWriteError, match=path.name):
            write_state(path, {"x": torch.zeros(3)}, {})


def test_folders_are_made_and_files_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "state"
    for number in (1, 2):
        write_state(path, {"n": number}, {})
    assert read_state(path)[0] == {"n": 2}
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["coterie"] == "1"


def test_there_is_no_such_file(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CheckpointNotFound, match="there is no file"):
            read_state(path)
