"""Checkpoints that mean harm are refused: nothing runs, nothing is written, nothing changes."""

import pickle
import shutil
import sys
from pathlib import Path

import pytest
import torch
from checkpoint_makers import content, states, trainer_for
from hostile import AGENT, Canary, corpus, crafted, edit, exchange, programs, raw

from coterie import CheckpointError, CheckpointMismatch, CheckpointUnsafe, CheckpointWriteError
from coterie._checkpoints.manifest import MANIFEST, RUN_FILE
from coterie._state import read_state, write_state
from coterie.testing import assert_same_state

ROOM = 100_000_000  # bytes that reading may take beside what is read


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    trainer = trainer_for(timesteps=3)
    trainer.train()
    return trainer.save(tmp_path_factory.mktemp("good") / "checkpoint")


def pytest_generate_tests(metafunc):
    if "number" in metafunc.fixturenames:
        names = [name for name, _ in corpus(b"{}", "canary")]
        assert len(names) == len(set(names)) > 100
        metafunc.parametrize("number", range(len(names)), ids=[ascii(name) for name in names])


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    return tmp_path_factory.mktemp("canary") / "canary"


@pytest.fixture(scope="module")
def changes(good, canary):
    return corpus((good / MANIFEST).read_bytes(), str(canary))


@pytest.fixture(scope="module")
def trainer():
    made = trainer_for(timesteps=5)
    made.train()
    return made


def everything(trainer):
    """All of a trainer that a checkpoint sets."""
    return {
        "agents": states(trainer),
        "env": trainer.env.state_dict(),
        "boundary": trainer._boundary.state_dict(),
        "tracker": trainer._tracker.state_dict(),
        "members": [[m.status, m.reason, m.streams] for m in trainer.members],
        "timestep": [trainer.timestep, trainer.unfinished],
    }


def test_it_is_refused(good, changes, canary, trainer, tmp_path, number):
    folder, (_, change) = tmp_path / "checkpoint", changes[number]
    shutil.copytree(good, folder)
    change(folder)
    before, there = everything(trainer), sorted(tmp_path.rglob("*"))
    with Peak() as peak, Audit() as audit, pytest.raises(CheckpointError):
        trainer.resume(folder)
    assert audit.seen == []
    assert_same_state(everything(trainer), before)
    assert sorted(tmp_path.rglob("*")) == there
    assert not canary.exists()
    assert peak.bytes < ROOM


class Audit:
    """Notes what Python itself tells of a block: code that is run, files that are written."""

    TELLING = (
        "code.__new__",
        "compile",
        "ctypes.dlopen",
        "exec",
        "import",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.system",
        "pickle.find_class",
        "shutil.unpack_archive",
        "socket.connect",
        "subprocess.Popen",
    )
    current = None
    hooked = False

    def __enter__(self):
        if not Audit.hooked:
            sys.addaudithook(Audit._hear)  # it can't be taken away again
            Audit.hooked = True
        self.seen, Audit.current = [], self
        return self

    def __exit__(self, *_):
        Audit.current = None

    @staticmethod
    def _hear(event, arguments):
        writes = (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        )
        if Audit.current is not None and (writes or event in Audit.TELLING):
            Audit.current.seen.append((event, *map(str, arguments[:1])))


def test_the_audit_hears_what_it_is_for(tmp_path):
    with Audit() as audit:
        pickle.loads(pickle.dumps(Canary(str(tmp_path / "canary"))))
    assert {event for event, _ in audit.seen} == {"pickle.find_class", "open"}


class Peak:
    """How much more memory a block takes at its worst, where the system can tell."""

    bytes = 0

    def __enter__(self):
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self._start = None
        else:
            self._start = high_water()
        return self

    def __exit__(self, *_):
        if self._start is not None:
            self.bytes = high_water() - self._start


def high_water():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_what_is_harmless_is_taken(good, tmp_path):
    """The changes are not refused for how they are made."""
    (name,) = (path for path in content(good) if path.endswith("sum-0.safetensors"))
    same = exchange(name, (good / name).read_bytes())
    for number, change in enumerate((lambda folder: None, same, edit("created", value="today"))):
        folder = shutil.copytree(good, tmp_path / str(number))
        change(folder)
        assert trainer_for().resume(folder) == 3


def test_what_could_run_code_is_called_so(good, tmp_path):
    for number, (name, data) in enumerate(programs(str(tmp_path / "canary"))):
        folder = shutil.copytree(good, tmp_path / str(number))
        exchange(AGENT, data)(folder)
        with pytest.raises(CheckpointError) as caught:
            trainer_for().resume(folder)
        old = name in ("pickle 0", "pickle 1", "tar of torch", "numpy", "pickle behind a header")
        assert isinstance(caught.value, CheckpointUnsafe) or old, name


def test_a_long_header_takes_memory_in_proportion(good, tmp_path):
    """JSON takes far more memory than its text; so its length has a limit."""
    size = 2_000_000
    many = crafted('{"about":{},"state":[' + "{}," * (size // 3) + "{}]}")
    folder = shutil.copytree(good, tmp_path / "checkpoint")
    exchange(AGENT, many)(folder)
    with Peak() as peak, pytest.raises(CheckpointError):
        trainer_for().resume(folder)
    assert peak.bytes < 60 * size + ROOM / 10
    exchange(AGENT, raw("{}", bytes(10), length=40_000_000))(folder)
    with pytest.raises(CheckpointError, match="header of 40000000 bytes, which was not read"):
        trainer_for().resume(folder)


def test_what_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(CheckpointWriteError, match="keep numbers in tensors"):
        write_state(tmp_path / "state", {"text": "x" * 17_000_000}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("boundary", "observations", 0), torch.zeros(4, 99)),
        (("boundary", "observations", 0), torch.zeros(4, 3, dtype=torch.int64)),
        (("boundary", "observations"), []),
        (("boundary", "resetting"), torch.zeros(3, dtype=torch.bool)),
        (("boundary", "resetting"), torch.zeros(4)),
        (("tracker", "under_way", "returns"), torch.zeros(5)),
        (("tracker", "members"), [{"count": 0, "returns": [], "lengths": []}]),
        (("members",), []),
        (("resets",), None),
        (("best",), [5]),
        (("loggers",), {"csv": 5}),
        (("stopper",), {"sum-0": 5}),
        (("environment",), {"streams": 5}),
    ],
)
def test_what_does_not_fit_in_the_run(good, trainer, tmp_path, path, value):
    folder = shutil.copytree(good, tmp_path / "checkpoint")
    state, _ = read_state(folder / RUN_FILE)
    part = state
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    write_state(tmp_path / "state", state, {})
    exchange(RUN_FILE, (tmp_path / "state").read_bytes())(folder)
    before = everything(trainer)
    with pytest.raises(CheckpointMismatch, match="does not fit"):
        trainer.resume(folder)
    assert_same_state(everything(trainer), before)
