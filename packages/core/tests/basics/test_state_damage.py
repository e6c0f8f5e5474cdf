"""Damaged and hostile files: a name for what is wrong, nothing run, nothing half loaded.

``COTERIE_FUZZ`` sets how many files are changed at random.
"""

import hashlib
import io
import json
import os
import pickle
import random
import resource
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save

from coterie import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointMismatch,
    CheckpointUnsafe,
    CheckpointVersion,
    CheckpointWriteError,
)
from coterie._state import _digest, read_state, write_state
from coterie.testing import CountingEnv, SumAgent, agents_for, assert_same_state, differs

COUNT = int(os.environ.get("COTERIE_FUZZ", "1000"))
STATE = {
    "weight": torch.arange(24.0).reshape(4, 6),
    "steps": 12,
    "nested": [{"mean": torch.ones(3, dtype=torch.float64)}, float("inf"), "text"],
}


@pytest.fixture
def path(tmp_path):
    write_state(tmp_path / "state", STATE, {"kind": "test"})
    return tmp_path / "state"


def read_or_refuse(path, data):
    """Read changed bytes; what is read at all must be what was written."""
    path.write_bytes(data)
    try:
        state, about = read_state(path)
    except CheckpointError:
        return False
    assert_same_state(state, STATE)
    assert about == {"kind": "test"}
    return True


def test_every_byte_flipped(path):
    whole = path.read_bytes()
    chance = random.Random(0)
    unnoticed = 0
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << chance.randrange(8)
        unnoticed += read_or_refuse(path, bytes(data))
    assert unnoticed == 0


def test_cut_short_at_every_length(path):
    whole = path.read_bytes()
    assert not any(read_or_refuse(path, whole[:length]) for length in range(len(whole)))


def test_random_mutations(path):
    whole = path.read_bytes()
    chance = random.Random(1)
    for _ in range(COUNT):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            start = chance.randrange(len(data) + 1)
            stop = min(len(data), start + chance.randrange(40))
            data[start:stop] = chance.choice(
                [chance.randbytes(chance.randrange(40)), bytes(stop - start), data[::-1][:9]]
            )
        read_or_refuse(path, bytes(data))


def test_zeroed_pages_and_appended_bytes(path):
    whole = path.read_bytes()
    assert not read_or_refuse(path, whole[:-64] + bytes(64))
    assert not read_or_refuse(path, whole + b"\0")
    assert not read_or_refuse(path, b"")


def test_the_digests_are_told(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        CheckpointCorrupt, match=r"expected digest [0-9a-f]{64}, found [0-9a-f]{64}"
    ):
        read_state(path)


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (self.target, "w")


def hostile(canary):
    """Yield names and contents of files that run code when they are unpickled."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", pickle.dumps(Canary(canary), protocol)
    for name, modern in (("torch", True), ("legacy torch", False)):
        file = io.BytesIO()
        torch.save({"x": Canary(canary)}, file, _use_new_zipfile_serialization=modern)
        yield name, file.getvalue()
    file = io.BytesIO()
    np.save(file, np.array([Canary(canary)], dtype=object), allow_pickle=True)
    yield "numpy", file.getvalue()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../data.pkl", bytes(10_000_000))
    yield "zip bomb", file.getvalue()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../escaped"), io.BytesIO())
    yield "tar", file.getvalue()


def test_nothing_is_run(tmp_path):
    canary = tmp_path / "canary"
    for name, data in hostile(str(canary)):
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            read_state(tmp_path / "file")
        if name.startswith(("pickle 2", "pickle 3", "pickle 4", "pickle 5", "torch", "zip")):
            assert isinstance(caught.value, CheckpointUnsafe), name
        assert not canary.exists()


def crafted(header, tensors, **metadata):
    """Make a file whose digest is right, whatever it holds."""
    text = header if isinstance(header, str) else json.dumps(header)
    base = {"coterie": "1", "header": text, "sha256": _digest(text, tensors)}
    return save(tensors, {**base, **metadata})


@pytest.mark.parametrize(
    "header",
    [
        "no json",
        "[1]",
        "null",
        {"state": {}},
        {"about": {}},
        {"state": {"x": {"$tensor": "none"}}, "about": {}},
        {"state": {"x": {"$tensor": ["t"]}}, "about": {}},
        {"state": {"x": {"$float": "nought"}}, "about": {}},
        {"state": [1], "about": {}},
        {"state": 5, "about": {}},
        {"state": {}, "about": {"kind": 5}},
        {"state": {}, "about": [1]},
        '{"about": {}, "state": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=lambda header: str(header)[:40],
)
def test_crafted_headers(tmp_path, header):
    (tmp_path / "file").write_bytes(crafted(header, {"t": torch.ones(1)}))
    with pytest.raises(CheckpointCorrupt):
        read_state(tmp_path / "file")


def test_other_formats(tmp_path):
    (tmp_path / "newer").write_bytes(crafted({"state": {}, "about": {}}, {}, coterie="2"))
    with pytest.raises(CheckpointVersion, match="format '2', this version reads 1"):
        read_state(tmp_path / "newer")
    (tmp_path / "foreign").write_bytes(save({"t": torch.ones(1)}))
    with pytest.raises(CheckpointVersion, match="None"):
        read_state(tmp_path / "foreign")


def test_a_digest_is_of_the_content(path):
    assert len(hashlib.sha256().hexdigest()) == len(_digest("", {}))
    same = {"a": torch.ones(2), "b": torch.zeros(2)}
    assert _digest("", same) == _digest("", dict(reversed(same.items())))
    assert _digest("", same) != _digest("", {"a": torch.zeros(2), "b": torch.ones(2)})
    assert _digest("", same) != _digest("", {**same, "a": torch.ones(2, 1)})


def test_an_agent_refuses_files_of_others(tmp_path):
    (agent,) = agents_for(CountingEnv(1), SumAgent)
    before = agent.state_dict()
    for name, state, kind, words in (
        ("kind", {"sum": torch.ones(3)}, "ppo", "kind 'ppo', this is a 'sum'"),
        ("shape", {"sum": torch.ones(3)}, "sum", "does not fit this 'sum'"),
        ("type", {"generator": torch.ones(3), "sum": 1}, "sum", "does not fit this 'sum'"),
    ):
        write_state(tmp_path / name, state, {"kind": kind})
        with pytest.raises(CheckpointMismatch, match=words):
            agent.load(tmp_path / name)
    assert not differs(before, agent.state_dict())


def test_a_full_disk(tmp_path):
    """A limit on the size of files stands for a disk that is full."""
    path = tmp_path / "state"
    write_state(path, STATE, {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(CheckpointWriteError, match="could not write") as caught:
            write_state(path, {"x": torch.zeros(1_000_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(caught.value, OSError)
    assert_same_state(read_state(path)[0], STATE)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]
