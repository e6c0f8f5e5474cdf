"""Checkpoints are copied elsewhere while training goes on, and whatever happens to the copies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

pytest.importorskip("fsspec")

from checkpoint_makers import content, states, trainer_for, unfinished
from faulty_store import FaultyStore, ForeignError, Gate, make_faulty

from coterie import CheckpointWriteError, ConfigError, PluginError, StepTrainer
from coterie._checkpoints import mirror as mirror_module
from coterie._checkpoints.cfg import CheckpointCfg
from coterie._checkpoints.folders import committed
from coterie._checkpoints.mirror import Mirror
from coterie._checkpoints.reading import open_checkpoint
from coterie.testing import assert_same_state

URL = "faulty://runs/a"


@pytest.fixture(autouse=True)
def store():
    yield make_faulty()
    deadline = time.monotonic() + 30
    while mirror_module._BUSY and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not mirror_module._BUSY


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def run_for(tmp_path, name="run", *, mirror=URL, **checkpoints):
    """One is kept, so that it does not matter whether copies take each other's place."""
    settings = {"interval": 2, "mirror": mirror, "keep": 1, **checkpoints}
    return trainer_for(tmp_path / name, checkpoints=settings)


def copied(store=FaultyStore):
    return {name.removeprefix("/runs/a/"): file.getvalue() for name, file in store.store.items()}


def kept(run):
    """What a run's folder holds that is copied."""
    return {name: data for name, data in content(run).items() if name != ".lock"}


def steps(names):
    return sorted({int(name.split("-")[1][:12]) for name in names if "/step-" in name})


def whole_steps():
    return steps(name for name in copied() if name.endswith("MANIFEST.json"))


def test_the_copy_is_the_run(tmp_path, quiet):
    run_for(tmp_path).train()
    assert copied() == kept(tmp_path / "run")
    assert not unfinished(tmp_path / "run")


@pytest.mark.parametrize("form", ["file://{}", "{}"])
def test_the_copy_in_a_folder_is_the_run(tmp_path, quiet, form):
    there = tmp_path / "shared" / "runs" / "a"
    trainer = run_for(tmp_path, mirror=form.format(there))
    trainer.train()
    assert content(there) == kept(tmp_path / "run")
    assert not unfinished(there)
    for path in committed(there / "checkpoints"):
        assert (path / "run.safetensors").stat().st_mode & 0o777 == 0o600
    again = trainer_for(resume=there)  # it is a run like any other
    assert again.timestep == 8
    assert_same_state(states(trainer), states(again))


def test_copies_change_nothing(tmp_path):
    plain, with_copies = trainer_for(tmp_path / "plain"), run_for(tmp_path)
    plain.train()
    with_copies.train()
    assert_same_state(states(plain), states(with_copies))


def test_the_manifest_comes_last_and_is_the_first_to_go(tmp_path, monkeypatch):
    removed = []
    remove = FaultyStore.rm_file
    monkeypatch.setattr(
        FaultyStore, "rm_file", lambda self, path: (removed.append(path), remove(self, path))
    )
    mirror, paths = mirrored(tmp_path)
    for path in paths:
        FaultyStore.written.clear()
        mirror.submit(path)
        assert mirror._wait(30)
        assert FaultyStore.written[-1] == f"/runs/a/checkpoints/{path.name}/MANIFEST.json"
        assert FaultyStore.written[0].startswith(f"/runs/a/checkpoints/{path.name}/")
        assert "run.json" in copied()
    gone = [path for path in removed if paths[0].name in path]
    assert gone[0].endswith("MANIFEST.json")
    assert len(gone) == 4


def mirrored(tmp_path, count=3, keep=2, **cfg):
    """A mirror that nobody has used, and checkpoints of its run."""
    trainer = trainer_for(tmp_path / "run", checkpoints={"interval": 2, "keep": 9})
    trainer.train()
    settings = CheckpointCfg(mirror=URL, keep=keep, **cfg)
    mirror = Mirror(URL, tmp_path / "run", settings)
    return mirror, committed(tmp_path / "run" / "checkpoints")[:count]


def test_as_many_stay_there_as_here(tmp_path, quiet):
    patient(run_for(tmp_path, keep=3)).train()
    assert whole_steps() == steps(copied()) == [4, 6, 8]


def test_only_what_changed_is_sent_again(tmp_path):
    mirror, paths = mirrored(tmp_path)
    big = tmp_path / "run" / "logs" / "of-mine.txt"
    big.parent.mkdir()
    big.write_text("long")
    for path in paths[:2]:
        mirror.submit(path)
        assert mirror._wait(30)
    assert FaultyStore.written.count("/runs/a/logs/of-mine.txt") == 1
    big.write_text("longer")
    mirror.submit(paths[2])
    assert mirror._wait(30)
    assert copied()["logs/of-mine.txt"] == b"longer"
    FaultyStore.written.clear()
    mirror.finish(paths[2])
    assert FaultyStore.written == []


def test_what_others_keep_in_the_folder_is_left_out(tmp_path):
    mirror, paths = mirrored(tmp_path, count=1)
    run = tmp_path / "run"
    (run / "report").mkdir()
    (run / "report" / "report.html").write_text("page")
    (run / ".hidden").write_text("secret")
    (run / "link.txt").symlink_to("/etc/hostname")
    (run / "here").symlink_to(tmp_path)
    mirror.finish(paths[0])
    assert not {"report/report.html", ".hidden", "link.txt", ".lock"} & set(copied())
    assert not [name for name in copied() if name.startswith("here/")]


def fail(part, error):
    def fault(path):
        if part in path:
            raise error

    return fault


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (ForeignError("402 Payment Required"), "ForeignError: 402 Payment Required"),
        (NotImplementedError(), "NotImplementedError"),
    ],
)
def test_a_copy_that_fails_does_not_end_training(tmp_path, error, told):
    FaultyStore.fault = staticmethod(fail("step-000000000002/members", error))
    whole = trainer_for()
    whole.train()
    trainer = patient(run_for(tmp_path, keep=2))
    with pytest.warns(RuntimeWarning) as caught:
        trainer.train()
    (text,) = {str(w.message) for w in caught}
    assert f"could not copy the checkpoint {tmp_path / 'run'}/checkpoints/step-000000000002" in text
    assert f"to {URL}: {told}" in text
    assert "it is whole here; training goes on, the next one is tried" in text
    assert_same_state(states(whole), states(trainer))
    assert whole_steps() == [6, 8]
    assert copied() == kept(tmp_path / "run")


def wait_for_copies():
    deadline = time.monotonic() + 30
    while mirror_module._BUSY and time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.mark.parametrize("how", ["cut", "break"])
@pytest.mark.parametrize("part", ["members/sum-0", "run.safetensors", "MANIFEST", "metrics.csv"])
def test_a_copy_that_is_cut_short_is_made_again(tmp_path, how, part):
    mirror, paths = mirrored(tmp_path)
    first = [True]

    def fault(path):
        if part in path and first:
            first.clear()
            return how
        return None

    FaultyStore.fault = staticmethod(fault)
    mirror.submit(paths[0])
    assert mirror._wait(30)
    told = "bytes were sent" if how == "cut" else "the line is dead"
    with pytest.warns(RuntimeWarning, match=told):
        mirror.tell()
    if part != "MANIFEST":
        assert whole_steps() == []
    mirror.finish(paths[0])
    assert whole_steps() == [0]
    names = content(paths[0])
    assert {n: copied()[f"checkpoints/{paths[0].name}/{n}"] for n in names} == names


def test_half_a_copy_is_tidied_up_with_the_next(tmp_path):
    mirror, paths = mirrored(tmp_path)
    FaultyStore.fault = staticmethod(fail("step-000000000000/run", OSError("full")))
    mirror.submit(paths[0])
    assert mirror._wait(30)
    assert steps(copied()) == [0]
    with pytest.warns(RuntimeWarning, match="full"):
        mirror.finish(paths[1])
    assert steps(copied()) == whole_steps() == [2]


def test_a_failure_ends_the_run_where_that_is_wanted(tmp_path):
    FaultyStore.fault = staticmethod(fail("step-000000000002", OSError(28, "No space left")))
    trainer = patient(run_for(tmp_path, strict=True))
    with pytest.raises(CheckpointWriteError, match=r"could not copy .*000002.*No space left") as e:
        trainer.train()
    assert e.value.errno == 28
    assert trainer.timestep < 8
    last = committed(tmp_path / "run" / "checkpoints")[-1]
    assert open_checkpoint(last).manifest.timestep == trainer.timestep


def patient(trainer):
    """Let each copy be done before the next timestep."""
    agent = trainer.agents[0]
    act = agent.act

    def slowly(*arguments, **more):
        wait_for_copies()
        return act(*arguments, **more)

    agent.act = slowly
    return trainer


def test_the_last_copy_that_fails_ends_the_run_where_that_is_wanted(tmp_path):
    FaultyStore.fault = staticmethod(fail("step-000000000008", OSError("gone")))
    with pytest.raises(CheckpointWriteError, match="could not copy"):
        run_for(tmp_path, strict=True).train()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


def test_training_does_not_wait_and_the_newest_takes_the_place_of_what_waits(tmp_path, quiet):
    gate = Gate("step-000000000000")
    FaultyStore.fault = staticmethod(gate)
    trainer = run_for(tmp_path, keep=2)
    run = tmp_path / "run"
    agent, act, seen = trainer.agents[0], trainer.agents[0].act, []

    def watching(*arguments, timestep, **more):
        if timestep == 7:
            assert gate.reached.wait(30)
            # Pruned here while it is copied; at most one more is held.
            seen.append(len([path for path in run.iterdir() if path.name.startswith(".tmp-")]))
            seen.append([path.name[-1] for path in committed(run / "checkpoints")])
            gate.opened.set()
            wait_for_copies()
        return act(*arguments, timestep=timestep, **more)

    agent.act = watching
    trainer.train()
    assert seen == [2, ["4", "6"]]
    sent = steps(path for path in FaultyStore.written if path.endswith("MANIFEST.json"))
    assert sent == [0, 6, 8]
    assert copied() == kept(run)


def test_what_was_pruned_meanwhile_is_copied_whole(tmp_path):
    mirror, paths = mirrored(tmp_path)
    expected = content(paths[0])
    gate = Gate("members/sum-0")
    FaultyStore.fault = staticmethod(gate)
    mirror.submit(paths[0])
    assert gate.reached.wait(30)
    shutil.rmtree(paths[0])
    gate.opened.set()
    assert mirror._wait(30)
    mirror.tell()
    assert {n: copied()[f"checkpoints/{paths[0].name}/{n}"] for n in expected} == expected


@pytest.mark.parametrize("links", [True, False])
def test_metrics_that_grow_meanwhile_are_copied_as_they_were(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr("os.link", lambda *paths: fail("", OSError("no links"))(""))
    mirror, paths = mirrored(tmp_path)
    metrics = tmp_path / "run" / "metrics.csv"
    before = metrics.read_bytes()
    gate = Gate("members/sum-0")
    FaultyStore.fault = staticmethod(gate)
    mirror.submit(paths[0])
    assert gate.reached.wait(30)
    with metrics.open("ab") as file:
        file.write(b"half a ro")
    gate.opened.set()
    assert mirror._wait(30)
    mirror.tell()
    assert copied()["metrics.csv"] == before


def test_the_end_waits_for_the_last_copy_only_so_long(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(mirror_module, "_PATIENCE", 0.0)
    gate = Gate("step-000000000008")
    FaultyStore.fault = staticmethod(gate)
    trainer = run_for(tmp_path, mirror_wait=0.3)
    with pytest.warns(RuntimeWarning, match=r"was not there after 0.3 s .*whole here"):
        summary = trainer.train()
    assert summary.timesteps == 8
    assert any("waiting for the last copy" in record.message for record in caplog.records)
    gate.opened.set()
    wait_for_copies()
    assert 8 in whole_steps()


def test_a_second_signal_ends_the_wait(tmp_path):
    gate = Gate("step-000000000008")
    FaultyStore.fault = staticmethod(gate)
    trainer = run_for(tmp_path)

    def twice():
        assert gate.reached.wait(30)
        for _ in range(2):
            time.sleep(0.1)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    sender = threading.Thread(target=twice)
    sender.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert time.monotonic() - started < 60  # the bound is 300 s
    assert [mirror._left for mirror in mirror_module._BUSY] == [True]  # nor is there one at exit
    sender.join()
    gate.opened.set()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


def test_an_interrupt_in_the_middle_waits_for_nothing(tmp_path):
    gate = Gate("step-000000000002")
    FaultyStore.fault = staticmethod(gate)
    trainer = run_for(tmp_path)

    def broken(*arguments, timestep, **more):
        if timestep == 5:
            assert gate.reached.wait(30)
            raise KeyboardInterrupt
        return act(*arguments, timestep=timestep, **more)

    act, trainer.agents[0].act = trainer.agents[0].act, broken
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    (mirror,) = mirror_module._BUSY
    assert mirror._left
    assert mirror._waiting is None
    gate.opened.set()
    wait_for_copies()
    assert not unfinished(tmp_path / "run")


def test_a_run_that_fails_is_copied_as_it_ended(tmp_path):
    trainer = run_for(tmp_path)
    step, count = trainer.env.step, iter(range(99))

    def broken(actions):
        if next(count) == 5:
            raise OSError("the simulator broke down")
        return step(actions)

    trainer.env.step = broken
    with pytest.raises(OSError, match="broke down"):
        trainer.train()
    assert copied() == kept(tmp_path / "run")
    assert json.loads(copied()["run.json"])["status"] == "failed"


@pytest.mark.parametrize("hurry", [False, True])
def test_what_came_after_an_earlier_checkpoint_goes_there_too(tmp_path, hurry):
    patient(run_for(tmp_path, keep=9)).train()
    assert whole_steps() == [0, 2, 4, 6, 8]
    before = copied()
    at = tmp_path / "run" / "checkpoints" / "step-000000000004"
    settings = {"interval": 3, "mirror": URL, "keep": 9}
    trainer = trainer_for(tmp_path / "run", resume=at, checkpoints=settings, timesteps=8)
    if hurry:  # the one at 6 is not copied: one at 6 of the first way must not stay in its place
        trainer._checkpointer._mirror.submit = lambda path: None
    patient(trainer).train()
    if hurry:
        assert copied() == before
        Mirror.submit(trainer._checkpointer._mirror, trainer._checkpointer.last)
        wait_for_copies()
        trainer._checkpointer._mirror.tell()
        assert whole_steps() == [0, 2, 4, 8]
    else:
        assert whole_steps() == [0, 2, 4, 6, 8]
        assert copied() == kept(tmp_path / "run")


def test_a_mirror_that_holds_another_run_is_refused(tmp_path):
    run_for(tmp_path).train()
    before = copied()
    for resume in (False, True):
        if resume:  # here is a run, but not that one
            trainer_for(tmp_path / "other").train()
        with pytest.raises(ConfigError, match=r"faulty://runs/a holds another run; nothing was"):
            trainer_for(
                tmp_path / "other", resume=resume, checkpoints={"interval": 2, "mirror": URL}
            )
    assert copied() == before


def test_two_runs_that_began_together_do_not_mix(tmp_path):
    first, second = run_for(tmp_path, "one"), run_for(tmp_path, "two")
    first.train()
    with pytest.warns(RuntimeWarning, match="holds another run"):
        second.train()
    assert copied() == kept(tmp_path / "one")


def test_a_mirror_that_can_not_be_reached_is_tried_again(tmp_path, monkeypatch):
    find = FaultyStore.find

    def broken(self, *arguments, **more):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(FaultyStore, "find", broken)
    with pytest.warns(RuntimeWarning, match=r"mirror=faulty.* can't be reached: no route"):
        trainer = run_for(tmp_path)
    with pytest.raises(CheckpointWriteError, match="no route"):
        run_for(tmp_path, "strict", strict=True)
    monkeypatch.setattr(FaultyStore, "find", find)
    trainer.train()
    assert copied() == kept(tmp_path / "run")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3n://bucket/a", r"there is no protocol 's3n'; did you mean 's3'\? \(known: .*gs, "),
        ("memory://", "names no folder"),
        ("simplecache::s3://bucket/a", "chain of URLs"),
    ],
)
def test_a_url_that_can_not_be_is_refused_before_anything_starts(tmp_path, url, told):
    with pytest.raises(ConfigError, match=told):
        run_for(tmp_path, mirror=url)
    assert not (tmp_path / "run").exists()


def test_what_a_protocol_needs_is_named(tmp_path):
    pytest.importorskip("fsspec")
    try:
        import gcsfs  # noqa: F401
    except ImportError:
        with pytest.raises(PluginError, match=r"gs://bucket/a needs .*pip install gcsfs"):
            run_for(tmp_path, mirror="gs://bucket/a")


def test_fsspec_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    message = r'user@|needs fsspec, which can\'t be found: pip install "coterie-core\[remote\]"'
    with pytest.raises(PluginError, match=message) as caught:
        run_for(tmp_path, mirror="s3://me:secret@host/a")
    assert "secret" not in str(caught.value)
    with pytest.raises(PluginError, match=message):
        trainer_for(resume="s3://bucket/a")


def test_fsspec_is_not_imported_without_a_url():
    shown = "print('fsspec' in sys.modules)"
    ours = "import coterie._trainers.base, coterie._checkpoints.fetching, coterie._cli.remote"
    code = f"import sys, torch, gymnasium; {shown}; {ours}; {shown}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others, all_of_it = done.stdout.split()
    assert all_of_it == others


def test_copies_need_checkpoints(tmp_path):
    with pytest.raises(ConfigError, match="keep at least 1"):
        run_for(tmp_path, keep=0)


def test_a_checkpoint_between_runs_is_copied_before_the_program_ends(tmp_path):
    there = tmp_path / "there"
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from checkpoint_makers import trainer_for
trainer = trainer_for({str(tmp_path / "run")!r}, checkpoints={{"mirror": {str(there)!r}}})
trainer.train()
import coterie._checkpoints.store as store, time
put = store.Store.put
def slow(*arguments, **more):
    time.sleep(0.1)
    put(*arguments, **more)
store.Store.put = slow
trainer.agents[0].generator.manual_seed(1)
print(trainer.save().name)
"""
    alone = {**os.environ, "COTERIE_DISABLE_PLUGINS": "all"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=alone)
    assert (done.stdout, done.returncode) == ("step-000000000008-2\n", 0)
    assert "cop" not in done.stderr.replace("not loaded", "")
    found = committed(there / "checkpoints")[-1]
    assert open_checkpoint(found).path.name == "step-000000000008-2"
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".tmp-")]


def test_step_by_step(tmp_path, quiet):
    from coterie.testing import CountingEnv, SumAgent, agents_for

    env = CountingEnv(4)
    trainer = StepTrainer(
        env=env,
        agents=agents_for(env, SumAgent),
        cfg={
            "timesteps": 4,
            "disable_progressbar": True,
            "checkpoints": {"interval": 2, "mirror": URL, "minutes": None},
        },
        run_dir=tmp_path / "run",
    )
    for _ in range(4):
        trainer.train()
    assert copied() == kept(tmp_path / "run")
