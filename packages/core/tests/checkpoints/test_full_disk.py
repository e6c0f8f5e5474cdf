"""A disk that is full, for a moment or for good: nothing that was written before is lost."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from checkpoint_makers import states, trainer_for, unfinished
from safetensors import SafetensorError

from coterie import CheckpointWriteError, _state
from coterie._checkpoints.folders import CHECKPOINTS, committed, find_checkpoint
from coterie._checkpoints.reading import open_checkpoint
from coterie._trainers.checkpointing import Checkpointer
from coterie.testing import assert_same_state

EVERY_TWO = {"interval": 2}
CALLS = (
    (os, "fsync"),
    (os, "mkdir"),
    (os, "link"),
    (os, "rename"),
    (os, "replace"),
    (os, "rmdir"),
    (os, "unlink"),
    (tempfile, "mkstemp"),
    (_state, "save_file"),
)


class FullDisk:
    """Refuses changes to the disk that are made in saves.

    Args:
        monkeypatch: Puts everything back.
        refused: Numbers of the changes that are refused, from 0; ``None``: all from ``start`` on.
        start: Number of the save, from 0, that the count starts with.
    """

    def __init__(self, monkeypatch, refused, start=1):
        self.count, self._saves, self._inside = 0, 0, False
        self._refused, self._start = refused, start
        for module, name in CALLS:
            monkeypatch.setattr(module, name, self._guard(getattr(module, name), name))
        monkeypatch.setattr(Checkpointer, "write", self._counted(Checkpointer.write))

    def _counted(self, write):
        def counted(*arguments):
            self._inside, self._saves = True, self._saves + 1
            try:
                return write(*arguments)
            finally:
                self._inside = False

        return counted

    def _guard(self, call, name):
        def guarded(*arguments, **named):
            if self._inside and self._saves > self._start:
                number, self.count = self.count, self.count + 1
                full = number >= 0 if self._refused is None else number in self._refused
                if full and name == "save_file":
                    raise SafetensorError("I/O error: No space left on device (os error 28)")
                if full and not (self._refused is None and name in ("unlink", "rmdir")):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **named)

        return guarded


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    trainer = trainer_for(tmp_path_factory.mktemp("calm") / "run", checkpoints=EVERY_TWO)
    trainer.train()
    return states(trainer)


@pytest.fixture(scope="module")
def number_of_changes(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        disk = FullDisk(patch, ())
        run = tmp_path_factory.mktemp("count") / "run"
        trainer_for(run, timesteps=4, checkpoints=EVERY_TWO).train()
    return disk.count // 2


def test_at_any_change_of_a_save(tmp_path, undisturbed, number_of_changes):
    """One change of the second save is refused, whichever it is."""
    assert number_of_changes > 20
    told = 0
    for number in range(number_of_changes):
        run = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            FullDisk(patch, {number})
            trainer = trainer_for(run, checkpoints=EVERY_TWO)
            trainer.train()
        texts = [str(warning.message) for warning in caught]
        assert len(texts) <= 1
        assert all("No space left" in text and str(run) in text for text in texts)
        told += len(texts)
        assert_same_state(states(trainer), undisturbed)
        assert find_checkpoint(run).manifest.timestep == 8
        assert unfinished(run / CHECKPOINTS) == [], number
    assert told > 10


def test_at_any_change_of_a_save_when_that_is_not_forgiven(tmp_path, number_of_changes):
    raised = 0
    for number in range(number_of_changes):
        run = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            FullDisk(patch, {number})
            trainer = trainer_for(run, checkpoints={**EVERY_TWO, "strict": True})
            error = raised_by(trainer.train)
        if error is not None:
            raised += 1
            assert isinstance(error, OSError)
            assert error.errno == errno.ENOSPC
            where = re.escape(str(run / CHECKPOINTS))
            assert re.search(rf"{where}/step-\d+: .*bytes were written", str(error))
            assert "last checkpoint" in error.__notes__[-1]
            assert unfinished(run / CHECKPOINTS) == []
        for path in committed(run / CHECKPOINTS):
            open_checkpoint(path)
        assert find_checkpoint(run).manifest.timestep in (0, 2, 4, 8)
    assert raised > 10


def raised_by(call):
    """The checkpoint that could not be written, if that is how it ends."""
    try:
        call()
    except CheckpointWriteError as error:
        return error
    return None


def test_the_third_in_a_row_ends_the_run(tmp_path, monkeypatch):
    FullDisk(monkeypatch, None)
    trainer = trainer_for(tmp_path / "run", timesteps=80, checkpoints=EVERY_TWO)
    with (
        pytest.warns(RuntimeWarning, match="training goes on") as caught,
        pytest.raises(CheckpointWriteError, match="No space left on device"),
    ):
        trainer.train()
    assert len([w for w in caught if "training goes on" in str(w.message)]) == 2
    assert trainer.timestep == 6
    assert find_checkpoint(tmp_path / "run").manifest.timestep == 0


def test_the_last_of_a_run_is_not_forgiven(tmp_path, monkeypatch):
    FullDisk(monkeypatch, None)
    trainer = trainer_for(tmp_path / "run", checkpoints={"interval": None})
    with pytest.raises(CheckpointWriteError, match="No space left on device"):
        trainer.train()
    assert trainer.timestep == 8
    assert find_checkpoint(tmp_path / "run").manifest.timestep == 0


def test_a_run_that_can_not_write_its_first(tmp_path, monkeypatch):
    FullDisk(monkeypatch, None, start=0)
    trainer = trainer_for(tmp_path / "run", checkpoints={**EVERY_TWO, "strict": True})
    with pytest.raises(CheckpointWriteError) as caught:
        trainer.train()
    assert "no checkpoint was written" in caught.value.__notes__


def test_a_limit_on_the_size_of_files(tmp_path):
    script = """
        import resource
        from checkpoint_makers import trainer_for
        trainer = trainer_for()
        trainer.train()
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        try:
            trainer.save("too-large")
        except OSError as error:
            print(type(error).__name__, error.errno, error)
    """
    out = run_script(script, tmp_path)
    assert out.startswith(f"CheckpointWriteError {errno.EFBIG} could not write the checkpoint")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_small_disk_that_is_full(tmp_path):
    script = """
        import warnings
        from pathlib import Path
        from checkpoint_makers import CountingEnv, trainer_for, unfinished
        from coterie._checkpoints.folders import find_checkpoint

        class FillingEnv(CountingEnv):
            calls = 0

            def step(self, actions):
                self.calls += 1
                try:
                    with open("ballast", "ab", buffering=0) as ballast:
                        while self.calls == 3 and ballast.write(bytes(4096)):
                            pass
                except OSError:
                    pass
                return super().step(actions)

        warnings.simplefilter("ignore")
        trainer = trainer_for("run", env=FillingEnv(4, seed=3), checkpoints={"interval": 2})
        try:
            trainer.train()
        except OSError as error:
            print(type(error).__name__, error.errno, "bytes were written" in str(error))
        print(trainer.timestep, unfinished(Path("run")))
        Path("ballast").unlink()
        before = find_checkpoint(Path("run")).manifest.timestep
        trainer.resume()
        trainer.train()
        print(before, find_checkpoint(Path("run")).manifest.timestep)
    """
    mount = 'mount -t tmpfs -o size=4m tmpfs . && cd "$PWD" && "$@"'
    mounted = ["unshare", "-m", "sh", "-c", mount]
    if subprocess.run([*mounted, "-", "true"], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("no mount can be made here")
    out = run_script(script, tmp_path, mounted)
    assert out.splitlines() == [
        f"CheckpointWriteError {errno.ENOSPC} True",
        "8 []",
        "2 8",
    ]


def run_script(script, folder, before=()):
    lines = [line.removeprefix("        ") for line in script.splitlines()]
    code = f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n" + "\n".join(lines)
    command = [*before, "-"] if before else []
    found = subprocess.run(
        [*command, sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_two_writers_on_one_run(tmp_path):
    run = tmp_path / "run"
    script = f"""
        import sys
        from checkpoint_makers import trainer_for
        from coterie._checkpoints.disk import FolderLock
        from pathlib import Path
        lock = FolderLock(Path({str(run)!r}))
        lock.acquire()
        print("locked", flush=True)
        sys.stdin.read()
    """
    trainer_for(run, checkpoints=EVERY_TWO).train()
    lines = [line.removeprefix("        ") for line in script.splitlines()]
    code = f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n" + "\n".join(lines)
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "locked\n"
        trainer = trainer_for(run, timesteps=12, resume=True)
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        with pytest.raises(CheckpointWriteError, match="somebody else is writing to the run"):
            trainer.train()
        with pytest.raises(CheckpointWriteError, match="somebody else is writing to the run"):
            trainer.save()
        assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    finally:
        other.communicate()
    assert other.returncode == 0
    trainer.train()
    assert find_checkpoint(run).manifest.timestep == 20
