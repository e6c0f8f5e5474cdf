"""Whatever a disk holds after a power loss, a checkpoint that was written is found on it.

``COTERIE_CRASH_STATES`` sets about how many ways of losing names are tried at each point.
"""

import os
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from crash_states import RUN, Sync, recorded, survey, without

from coterie import SequentialTrainer
from coterie._checkpoints import writing
from coterie._checkpoints.disk import sync
from coterie._trainers import checkpointing
from coterie.testing import CountingEnv, SumAgent, agents_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

LIMIT = int(os.environ.get("COTERIE_CRASH_STATES", "200"))
STEPS = 5
FIRST = "step-000000000000"
CFG = {
    "timesteps": STEPS,
    "metrics_interval": 1,
    "disable_progressbar": True,
    "checkpoints": {"interval": 1, "minutes": None},
}


def record(root, monkeypatch):
    """Train with a checkpoint at each step, of which two are kept."""
    env = CountingEnv(3)
    with recorded(root, monkeypatch) as recording:
        original = checkpointing.write_checkpoint

        def write(path, *arguments):
            original(path, *arguments)
            recording.look()
            recording.ack(path)

        monkeypatch.setattr(checkpointing, "write_checkpoint", write)
        agents = agents_for(env, SumAgent, SumAgent, SumAgent)
        SequentialTrainer(env=env, agents=agents, cfg=CFG, run_dir=root / RUN).train()
        recording.look()
    return recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    root = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        return record(root, patch)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path_factory.mktemp("scratch")
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def found(recording, scratch, drop=lambda flush: False, stop=True):
    return survey(recording, without(recording.events, drop), scratch, LIMIT, stop)


def violations(counts):
    return counts["lost"] + counts["unreadable"] + counts["wrong"]


def test_what_was_written_is_found(recording, scratch):
    assert len(recording.truth) == STEPS + 1
    counts = found(recording, scratch, stop=False)
    assert counts["states"] > 1000
    assert violations(counts) == 0


NEEDED = {
    "make_folder run": "the names of the run",
    "new_folder checkpoints": "the name of the checkpoint",
    "new_folder unfinished": "the names in it",
    "remove_folder checkpoints": "that it is gone, before what is in it goes",
    "write_file file": "the manifest",
    "write_json file": "the description of the run",
    "write_state file": "the tensors",
}
ONE_IS_ENOUGH = {"_fill members", "new_folder members", "write_state members"}
AS_WELL = {"make_folder recorded0", "write_state unfinished"}


def test_each_flush_is_known(recording):
    sites = {event.site for event in recording.events if isinstance(event, Sync)}
    assert sites == {*NEEDED, *ONE_IS_ENOUGH, *AS_WELL}


@pytest.mark.parametrize("site", NEEDED)
def test_each_flush_is_needed(recording, scratch, site):
    counts = found(recording, scratch, lambda flush: flush.site == site)
    assert violations(counts), NEEDED[site]


def test_the_names_of_the_members_are_flushed_once_or_more(recording, scratch):
    assert violations(found(recording, scratch, lambda flush: flush.site in ONE_IS_ENOUGH))


def test_a_saver_that_flushes_no_files(recording, scratch):
    assert violations(found(recording, scratch, lambda flush: not flush.folder))


def test_a_saver_that_flushes_no_folders(recording, scratch):
    assert violations(found(recording, scratch, lambda flush: flush.folder))


@contextmanager
def in_place(final):
    """Write into a folder that has its name already."""
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir(parents=True, mode=stat.S_IRWXU)
    yield final
    sync(final)
    sync(final.parent)


def test_a_saver_that_writes_in_place(tmp_path, scratch, monkeypatch):
    monkeypatch.setattr(writing, "new_folder", in_place)
    monkeypatch.setattr(checkpointing, "new_name", lambda folder, timestep: folder / FIRST)
    recording = record(tmp_path, monkeypatch)
    assert violations(found(recording, scratch))
