"""Damaged checkpoints: whatever happened to a file of one, it is noticed, and by name.

``COTERIE_MUTATIONS`` sets how many damages there are, ``COTERIE_FAULTS_SEED`` which.
"""

import os
import random
import re
import shutil
from collections import Counter

import pytest
from checkpoint_makers import content, states, trainer_for

from coterie import CheckpointCorrupt, CheckpointError
from coterie._checkpoints.folders import CHECKPOINTS, committed, newest
from coterie._checkpoints.manifest import MANIFEST, RUN_FILE
from coterie._checkpoints.reading import open_checkpoint
from coterie.testing import assert_same_state

COUNT = int(os.environ.get("COTERIE_MUTATIONS", "500"))
SEED = int(os.environ.get("COTERIE_FAULTS_SEED", "0"))
PAGE = 512


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two checkpoints of one run: the second, and what the first holds."""
    folder = tmp_path_factory.mktemp("written")
    trainer = trainer_for(timesteps=4)
    trainer.train()
    earlier = content(trainer.save(folder / "first"))
    trainer.train()
    return trainer.save(folder / "second"), earlier


def flip(data, chance):
    for _ in range(chance.choice((1, 1, 1, 5))):
        place = chance.randrange(len(data))
        data = data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
    return data


def cut(data, chance):
    return data[: chance.randrange(len(data))]


def zero(data, chance):
    start = chance.randrange(0, len(data), PAGE)
    return data[:start] + bytes(len(data[start : start + PAGE])) + data[start + PAGE :]


def drop(data, chance):
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 16) :]


def add(data, chance):
    start = chance.randrange(len(data) + 1)
    return data[:start] + chance.randbytes(chance.randint(1, 16)) + data[start:]


def shuffle(data, chance):
    pages = [data[start : start + PAGE] for start in range(0, len(data), PAGE)]
    chance.shuffle(pages)
    return b"".join(pages)


WAYS = (flip, flip, flip, cut, zero, drop, add, shuffle)


def damaged(files, earlier, chance):
    """Damage one file, exchange two, or put an older one or none in the place of one."""
    name = chance.choice(sorted(files))
    way = chance.choice((*WAYS, "exchange", "older", "gone"))
    if way == "gone":
        return {key: data for key, data in files.items() if key != name}
    if way == "older":
        return {**files, name: earlier[name]}
    if way == "exchange":
        other = chance.choice(sorted(files))
        return {**files, name: files[other], other: files[name]}
    return {**files, name: way(files[name], chance)}


def write(folder, before, after):
    """Let a folder that holds some files hold others."""
    for name in before.keys() | after.keys():
        if before.get(name) == after.get(name):
            continue
        if name in after:
            (folder / name).write_bytes(after[name])
        else:
            (folder / name).unlink()


def test_each_damage_is_noticed(written, tmp_path):
    source, earlier = written
    folder, files, chance = tmp_path / "damaged", content(source), random.Random(SEED)
    shutil.copytree(source, folder)
    found = Counter()
    while found.total() < COUNT:
        changed = damaged(files, earlier, chance)
        if changed == files:
            continue
        write(folder, files, changed)
        with pytest.raises(CheckpointError) as caught:
            open_checkpoint(folder)
        found[type(caught.value).__name__] += 1
        assert str(folder) in str(caught.value)
        write(folder, changed, files)
    open_checkpoint(folder)
    assert found["CheckpointCorrupt"] > 0.99 * COUNT - 1, found
    assert set(found) <= {"CheckpointCorrupt", "CheckpointVersion", "CheckpointUnsafe"}


@pytest.mark.parametrize("name", [MANIFEST, RUN_FILE, "members/sum-1.safetensors"])
def test_each_byte_of_a_file(written, tmp_path, name):
    """Of the first and the last 200 bytes and of every 97th between them."""
    source, _ = written
    folder = tmp_path / "damaged"
    shutil.copytree(source, folder)
    whole = (folder / name).read_bytes()
    places = {*range(0, len(whole), 97), *range(200), *range(len(whole) - 200, len(whole))}
    for place in sorted(places):
        (folder / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CheckpointError):
            open_checkpoint(folder)


def test_both_digests_are_told(written, tmp_path):
    source, _ = written
    folder = tmp_path / "damaged"
    shutil.copytree(source, folder)
    file = folder / "members" / "sum-0.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    text = (
        rf"{re.escape(str(file))} is damaged: expected digest [0-9a-f]{{64}}, found [0-9a-f]{{64}}"
    )
    with pytest.raises(CheckpointCorrupt, match=text):
        open_checkpoint(folder)
    file.write_bytes(data[:-1])
    with pytest.raises(CheckpointCorrupt, match=rf"expected {len(data)} bytes, found"):
        open_checkpoint(folder)


@pytest.mark.parametrize("name", [MANIFEST, RUN_FILE, "members/sum-1.safetensors"])
def test_the_one_before_is_taken(tmp_path, name):
    """A run goes on from the newest checkpoint that is whole, to the same end."""
    whole, run = trainer_for(tmp_path / "whole"), tmp_path / "run"
    whole.train()
    trainer_for(run, timesteps=8, checkpoints={"interval": 3, "keep": 3}).train()
    *_, before, last = committed(run / CHECKPOINTS)
    (last / name).write_bytes(cut((last / name).read_bytes(), random.Random(0)))
    with pytest.warns(RuntimeWarning, match=rf"passing over a checkpoint: .*{last.name}"):
        assert newest(run / CHECKPOINTS).path == before
    with pytest.warns(RuntimeWarning, match="passing over"):
        trainer = trainer_for(run, checkpoints={"interval": 3}, resume=True)
    assert trainer.timestep == 6
    trainer.train()
    for left, right in zip(states(trainer), states(whole), strict=True):
        assert_same_state(left, right)
    assert committed(run / CHECKPOINTS)[-1] == last
    open_checkpoint(last)


def test_none_is_whole(tmp_path):
    run = tmp_path / "run"
    trainer_for(run).train()
    for path in committed(run / CHECKPOINTS):
        (path / RUN_FILE).unlink()
    with (
        pytest.warns(RuntimeWarning, match="passing over"),
        pytest.raises(CheckpointCorrupt, match=r"008/run\.safetensors is missing"),
    ):
        newest(run / CHECKPOINTS)
