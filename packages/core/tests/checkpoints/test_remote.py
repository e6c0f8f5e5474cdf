"""Checkpoints and runs that are given by a URL: brought here whole, or refused."""

import csv
import gc
import hashlib
import json
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest

pytest.importorskip("fsspec")

from checkpoint_makers import content, states, trainer_for, unfinished
from faulty_store import FaultyStore, make_faulty
from hostile import corpus

from coterie import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointMismatch,
    CheckpointNotFound,
    CheckpointUnsafe,
    ConfigError,
)
from coterie._checkpoints import fetching
from coterie._checkpoints.fetching import fetch_checkpoint, fetch_run
from coterie._checkpoints.folders import find_checkpoint
from coterie._checkpoints.manifest import MANIFEST
from coterie._checkpoints.store import Store
from coterie._checkpoints.urls import shown
from coterie.testing import assert_same_state

URL = "faulty://runs/a"
CHECKPOINTS = {"interval": 2, "mirror": URL}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """Downloads go below a folder that the test can look at."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return make_faulty()


@pytest.fixture
def run(tmp_path):
    """A whole run that was copied to the store."""
    trainer_for(tmp_path / "run", checkpoints={**CHECKPOINTS, "keep": 3}).train()
    return tmp_path / "run"


def upload(folder, where):
    """Put files into the store as somebody might who means harm."""
    system = FaultyStore()
    for name, data in content(folder).items():
        system.pipe_file(f"{where}/{name}", data)


def rows(run):
    with (run / "metrics.csv").open() as file:
        found = list(csv.reader(file))
    return [row[:2] + row[3:] for row in found if not row[4].startswith("time/")]


def interrupted(trainer, at):
    step, count = trainer.env.step, iter(range(99))

    def broken(actions):
        if next(count) == at:
            raise OSError("the simulator broke down")
        return step(actions)

    trainer.env.step = broken
    with pytest.raises(OSError, match="broke down"):
        trainer.train()


@pytest.mark.parametrize(
    ("rest", "step"),
    [
        ("", 8),
        ("/", 8),
        ("/checkpoints", 8),
        ("/checkpoints/step-000000000006", 6),
        ("/checkpoints/step-000000000006/", 6),
    ],
)
def test_what_a_url_may_name(run, rest, step):
    found = fetch_checkpoint(URL + rest)
    assert found.manifest.timestep == step
    assert found.label == f"{URL}/checkpoints/step-{step:012d}"
    assert content(found.path) == content(run / "checkpoints" / found.path.name)
    assert found.path.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in found.path.rglob("*.*")} == {0o600}


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_other_stores(run, tmp_path, scheme):
    where = f"memory://runs-{tmp_path.name}" if scheme == "memory" else f"file://{tmp_path}/there"
    trainer = trainer_for(tmp_path / "other", checkpoints={"interval": 3, "mirror": where})
    trainer.train()
    again = trainer_for(resume=where)
    assert again.timestep == 8
    assert_same_state(states(trainer), states(again))


def test_a_checkpoint_alone_may_have_any_name(tmp_path):
    trainer = trainer_for()
    trainer.train()
    upload(trainer.save(tmp_path / "mine"), "/models/mine")
    other = trainer_for()
    assert other.resume("faulty://models/mine") == 8
    assert_same_state(states(trainer), states(other))


def test_the_temporary_folder_goes_away(run, tmp_path):
    found = find_checkpoint(URL)
    folder = found.path
    assert folder.is_dir()
    assert list((tmp_path / "temporary").iterdir()) == [folder.parent]
    del found
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


def test_a_run_goes_on_elsewhere_bit_for_bit(tmp_path):
    whole = trainer_for(tmp_path / "whole", timesteps=20, checkpoints={"interval": 4})
    whole.train()
    checkpoints = {"interval": 4, "mirror": URL}
    interrupted(trainer_for(tmp_path / "here", timesteps=20, checkpoints=checkpoints), 10)
    shutil.rmtree(tmp_path / "here")  # that machine is gone
    fetch_run(URL, tmp_path / "there")
    assert not unfinished(tmp_path / "there")
    trainer = trainer_for(tmp_path / "there", timesteps=20, resume=True, checkpoints=checkpoints)
    assert trainer.timestep == 8
    trainer.train()
    assert_same_state(states(whole), states(trainer))
    assert rows(tmp_path / "there") == rows(tmp_path / "whole")
    # The copy goes on, too, and a third machine would end with the same.
    fetch_run(URL, tmp_path / "third")
    assert content(tmp_path / "third")["metrics.csv"] == content(tmp_path / "there")["metrics.csv"]
    again = trainer_for(tmp_path / "third", timesteps=20, resume=True)
    assert_same_state(states(whole), states(again))


@pytest.mark.parametrize("exists", [False, True])
def test_resume_true_brings_the_run_from_its_mirror(tmp_path, exists):
    whole = trainer_for(tmp_path / "whole", timesteps=20)
    whole.train()
    checkpoints = {"interval": 4, "mirror": URL}

    def trainer():
        return trainer_for(tmp_path / "run", timesteps=20, resume=True, checkpoints=checkpoints)

    assert trainer().timestep == 0  # there is nothing yet
    interrupted(trainer(), 10)
    shutil.rmtree(tmp_path / "run")
    if exists:  # such as an empty volume
        (tmp_path / "run" / ".tmp-run-1234").mkdir(parents=True)
        number = (tmp_path / "run").stat().st_ino
    again = trainer()
    assert again.timestep == 8
    if exists:
        assert (tmp_path / "run").stat().st_ino == number
    again.train()
    assert_same_state(states(whole), states(again))
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")
    assert not unfinished(tmp_path / "run")


def test_resume_true_does_not_begin_anew_where_the_mirror_can_not_be_read(tmp_path, monkeypatch):
    def broken(self, *arguments, **more):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(FaultyStore, "find", broken)
    with pytest.raises(CheckpointError, match=r"faulty://runs/a can't be read: no route to host"):
        trainer_for(tmp_path / "run", resume=True, checkpoints=CHECKPOINTS)
    assert not (tmp_path / "run").exists()


def test_another_run_may_go_on_from_a_url(run, tmp_path):
    other = trainer_for(tmp_path / "other", timesteps=12, resume=f"{URL}/checkpoints")
    assert (other.timestep, other.unfinished) == (8, False)
    other.train()
    assert other.timestep == 20
    with pytest.raises(ConfigError, match=r"holds another run.* resume=True with an empty"):
        trainer_for(tmp_path / "third", resume=URL, checkpoints=CHECKPOINTS)


def damage(name, change):
    path = f"/runs/a/{name}"
    system = FaultyStore()
    system.pipe_file(path, change(system.cat_file(path)))


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("members/sum-0.safetensors", flip, "expected digest"),
        ("run.safetensors", lambda data: data[:-1], r"expected \d+ bytes, found \d+"),
        ("MANIFEST.json", flip, "is damaged"),
    ],
)
def test_the_newest_whole_one_is_taken(run, file, change, told):
    damage(f"checkpoints/step-000000000008/{file}", change)
    with pytest.warns(RuntimeWarning, match=f"passing over a checkpoint: {URL}/.*{told}") as caught:
        found = find_checkpoint(URL)
    assert found.manifest.timestep == 6
    assert "temporary" not in str(caught[0].message)
    with pytest.raises(CheckpointCorrupt, match=told):
        find_checkpoint(f"{URL}/checkpoints/step-000000000008")


def test_one_without_a_manifest_is_passed_over(run, tmp_path):
    FaultyStore().rm_file("/runs/a/checkpoints/step-000000000008/MANIFEST.json")
    with pytest.warns(RuntimeWarning, match=r"passing over .*MANIFEST\.json is missing"):
        assert find_checkpoint(URL).manifest.timestep == 6
    for path in list(FaultyStore.store):
        if path.endswith(MANIFEST):
            del FaultyStore.store[path]
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(CheckpointCorrupt, match=r"step-000000000008/MANIFEST\.json is missing"),
    ):
        find_checkpoint(URL)
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


def test_one_that_is_pruned_while_it_is_read(run, tmp_path, monkeypatch):
    """Whoever writes there has a newer one by then."""
    newer = tmp_path / "newer"
    shutil.copytree(run / "checkpoints" / "step-000000000008", newer)
    system, download = FaultyStore(), Store.download
    system.rm("/runs/a/checkpoints/step-000000000008", recursive=True)

    def overtaken(self, name, target, limit):
        if "step-000000000006/run" in name:
            for step in (4, 6):
                system.rm(f"/runs/a/checkpoints/step-{step:012d}", recursive=True)
            upload(newer, "/runs/a/checkpoints/step-000000000008")
        return download(self, name, target, limit)

    monkeypatch.setattr(Store, "download", overtaken)
    with pytest.warns(RuntimeWarning, match="is missing"):
        assert find_checkpoint(URL).manifest.timestep == 8


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("faulty://runs/b", r"there is no folder faulty://runs/b, or nothing in it"),
        ("faulty://runs/aa/", r"no folder faulty://runs/aa, .*; did you mean 'a'\?"),
        (f"{URL}/agents", r"there is no checkpoint in faulty://runs/a/agents/checkpoints"),
        (f"{URL}/checkpoints/step-000000000007", "there is no folder .*step-000000000007'?"),
    ],
)
def test_there_is_nothing_there(run, url, told):
    with pytest.raises(CheckpointNotFound, match=told):
        find_checkpoint(url)


def test_a_store_that_fails_is_told_and_nothing_older_is_taken(run, monkeypatch, tmp_path):
    def broken(self, path, *arguments, **more):
        raise TimeoutError("the line is dead")

    monkeypatch.setattr(FaultyStore, "_open", broken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CheckpointError, match=f"{URL} can't be read: the line is dead"):
            find_checkpoint(URL)
    assert not list((tmp_path / "temporary").iterdir())


def test_too_little_room_is_told_before(run, monkeypatch, tmp_path):
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: free)
    with pytest.raises(CheckpointError, match=r"it has [\d,]+ bytes, 1,000 are free"):
        find_checkpoint(URL)
    with pytest.raises(CheckpointError, match="are free"):
        fetch_run(URL, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_another_population_is_told_with_the_url(run):
    other = trainer_for(env=None, timesteps=8)
    other.members[0].name = "renamed"
    with pytest.raises(CheckpointMismatch, match=f"{URL}/checkpoints/step-000000000008 belongs"):
        other.resume(URL)


def test_a_folder_that_holds_something_is_left_alone(run, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds something already"):
        fetch_run(URL, there)
    assert content(there) == {"mine.txt": b"mine"}
    with pytest.raises(CheckpointNotFound, match=r"holds no run: .* it is a checkpoint alone"):
        fetch_run(f"{URL}/checkpoints/step-000000000008", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["../evil.txt", "logs/../../evil.txt", "a\\..\\evil.txt", "/evil"])
def test_names_that_lead_out_of_a_run_are_refused(run, tmp_path, monkeypatch, name):
    files = Store.files

    def listed(self, folder=""):
        return {**files(self, folder), **({name: 4} if folder == "" else {})}

    monkeypatch.setattr(Store, "files", listed)
    FaultyStore().pipe_file("/evil.txt", b"evil")
    with pytest.raises(CheckpointUnsafe, match="whose name leads elsewhere"):
        fetch_run(URL, tmp_path / "in" / "there")
    assert not list(tmp_path.rglob("evil*"))
    assert not (tmp_path / "in" / "there").exists()


def test_hidden_files_are_not_brought(run, tmp_path):
    FaultyStore().pipe_file("/runs/a/.bashrc", b"evil")
    FaultyStore().pipe_file("/runs/a/logs/.git/config", b"evil")
    fetch_run(URL, tmp_path / "there")
    assert {n for n in content(tmp_path / "there") if "." in n.split("/")[-1][:1]} == set()
    assert not (tmp_path / "there" / "logs").exists()


def test_a_file_that_does_not_end_is_not_read_to_the_end(run, monkeypatch):
    class Endless:
        def read(self, size):
            self.got = getattr(self, "got", 0) + size
            assert self.got < 100_000_000
            return b"\0" * size

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    whole = FaultyStore._open

    def opened(self, path, *arguments, **more):
        return Endless() if path.endswith("sum-1.safetensors") else whole(self, path, *arguments)

    monkeypatch.setattr(FaultyStore, "_open", opened)
    with pytest.warns(RuntimeWarning), pytest.raises(CheckpointUnsafe, match="more than"):
        find_checkpoint(URL)


def test_a_huge_manifest_is_not_read(run, monkeypatch):
    monkeypatch.setattr(fetching, "LARGEST", 100)
    with pytest.warns(RuntimeWarning), pytest.raises(CheckpointUnsafe, match="it was not read"):
        find_checkpoint(URL)


def test_hostile_checkpoints_are_refused(tmp_path):
    """What is refused from a folder is refused from a URL, but for what stores do not have."""
    trainer = trainer_for(timesteps=3)
    trainer.train()
    good, canary = trainer.save(tmp_path / "good"), tmp_path / "canary"
    before, taken, refused = states(trainer), [], 0
    for number, (name, change) in enumerate(corpus((good / MANIFEST).read_bytes(), str(canary))):
        folder = tmp_path / str(number) / "bad"
        shutil.copytree(good, folder)
        change(folder)
        if all(is_plain(path) for path in (folder, *folder.rglob("*"))):
            make_faulty()
            upload(folder, "/bad")
            try:
                trainer.resume("faulty://bad")
                taken.append(name)
            except CheckpointError:
                refused += 1
    assert taken == []
    assert refused > 90
    assert not canary.exists()
    assert_same_state(before, states(trainer))


def is_plain(path):
    """Whether a store could have it; those that are huge have a test of their own."""
    small = path.is_file() and path.stat().st_size < 50_000_000
    return not path.is_symlink() and (small or path.is_dir())


@pytest.mark.parametrize(
    "name", ["../../evil.safetensors", "/tmp/evil.safetensors", "members/../../evil.safetensors"]
)
def test_a_manifest_that_names_other_files(tmp_path, name):
    trainer = trainer_for(timesteps=3)
    trainer.train()
    good = trainer.save(tmp_path / "good")
    text = json.loads((good / MANIFEST).read_text())
    text["files"][name] = text["files"].pop("run.safetensors")
    text.pop("checksum")
    checksum = hashlib.sha256(json.dumps(text, indent=1, sort_keys=True).encode()).hexdigest()
    sealed = json.dumps({**text, "checksum": checksum}, indent=1, sort_keys=True) + "\n"
    upload(good, "/bad")
    FaultyStore().pipe_file("/bad/MANIFEST.json", sealed.encode())
    with pytest.raises(CheckpointUnsafe, match="which can't be one of its own"):
        find_checkpoint("faulty://bad")
    assert not list(Path(tempfile.gettempdir()).rglob("evil*"))


def test_links_in_a_folder_that_is_given_by_a_url_are_not_followed(tmp_path):
    trainer = trainer_for(timesteps=3)
    trainer.train()
    good = trainer.save(tmp_path / "good")
    secret = tmp_path / "secret"
    shutil.move(good / "run.safetensors", secret)
    (good / "run.safetensors").symlink_to(secret)
    with pytest.raises(CheckpointError, match="run"):
        find_checkpoint(f"file://{good}")


def test_passwords_are_not_shown():
    assert shown("sftp://me:secret@host/runs/a/") == "sftp://host/runs/a"
    assert shown("s3://bucket/mail@home") == "s3://bucket/mail@home"
