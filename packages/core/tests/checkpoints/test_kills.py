"""What a run leaves that is killed at one certain point, and how the next one gets along."""

import json
import shutil

import pytest
from checkpoint_makers import content, states, trainer_for, unfinished

from coterie import ConfigError
from coterie._checkpoints.folders import CHECKPOINTS, committed
from coterie._runs import directory
from coterie._state import read_state
from coterie._trainers.checkpointing import Checkpointer
from coterie.testing import assert_same_state

EVERY_TWO = {"interval": 2}


class Killed(BaseException):
    """Stands for the end of the process: nothing is tidied up that needs more than memory."""


def die(*_, **__):
    raise Killed


def test_before_the_run_was_described(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(directory, "write_json", die)
        with pytest.raises(Killed):
            trainer_for(run).train()
    (run / ".run.json.new").write_text("{")
    assert {path.name for path in run.iterdir()} <= {".lock", ".run.json.new"}
    trainer_for(run, resume=True).train()
    assert unfinished(run) == []
    with pytest.raises(ConfigError, match="holds another run"):
        trainer_for(run)


def test_after_a_checkpoint_and_before_its_agents_were_brought_in_place(tmp_path, monkeypatch):
    """The best agents of the checkpoint are brought in place when the run goes on."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    trainer_for(whole, checkpoints=EVERY_TWO).train()
    for calls in range(1, 4):
        shutil.rmtree(run, ignore_errors=True)
        kill_at(calls, run, monkeypatch)
        trainer_for(run, checkpoints=EVERY_TWO, resume=True).train()
        assert_same_agents(run, whole)


def test_after_the_last_checkpoint_and_before_its_agents_were_brought_in_place(
    tmp_path, monkeypatch
):
    """No run goes on any more; to look at it is enough."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    trainer_for(whole, checkpoints=EVERY_TWO).train()
    last = int(committed(whole / CHECKPOINTS)[-1].name.split("-")[1]) // 2
    kill_at(last, run, monkeypatch)
    assert not trainer_for(run, checkpoints=EVERY_TWO, resume=True).unfinished
    assert_same_agents(run, whole)


def assert_same_agents(run, whole):
    for name in ("agents/sum-0", "agents/sum-1", "best/sum-0", "best/sum-1"):
        left, right = (read_state(f / f"{name}.safetensors")[0] for f in (run, whole))
        assert_same_state(left, right)
    found = [json.loads((f / "best" / "sum-0.json").read_text()) for f in (run, whole)]
    assert found[0] == found[1]


def kill_at(calls, run, monkeypatch):
    """Train until the agents of a checkpoint would be brought in place for the nth time."""
    count = 0
    original = Checkpointer._publish

    def publish(*arguments):
        nonlocal count
        count += 1
        if count == calls:
            raise Killed
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "_publish", publish)
        trainer = trainer_for(run, checkpoints=EVERY_TWO)
        with pytest.raises(Killed):
            trainer.train()
    trainer.directory._lock.release()  # a process that is gone holds none
    assert count == calls


def test_what_was_left_is_removed(tmp_path):
    run = tmp_path / "run"
    trainer_for(run).train()
    (run / CHECKPOINTS / ".tmp-step-000000000012-0badcafe" / "members").mkdir(parents=True)
    (run / CHECKPOINTS / ".del-step-000000000004-0badcafe").mkdir()
    (run / "agents" / ".sum-0.safetensors.0badcafe").write_bytes(b"half")
    (run / "best" / ".sum-0.json.new").write_text("{")
    kept = run / "agents" / ".mine"
    kept.write_text("of the user")
    trainer = trainer_for(run, timesteps=12, resume=True)
    trainer.train()
    assert unfinished(run) == [kept]


def test_a_best_agent_that_could_not_be_saved_is_not_the_best(tmp_path, monkeypatch):
    """It counts as the best only when its checkpoint was written."""
    run = tmp_path / "run"
    trainer = trainer_for(run, checkpoints=EVERY_TWO)
    trainer.train()
    before = dict(trainer._checkpointer.best)
    monkeypatch.setattr("coterie._trainers.checkpointing.write_checkpoint", die)
    monkeypatch.setattr(Checkpointer, "_better", lambda *_: {"sum-0": 1e9})
    with pytest.raises(Killed):
        trainer.save()
    assert trainer._checkpointer.best == before


def test_a_later_checkpoint_is_no_part_of_a_run_that_goes_on_before_it(tmp_path):
    run = tmp_path / "run"
    trainer_for(run, checkpoints={"interval": 2, "keep": 9}).train()
    steps = [path.name for path in committed(run / CHECKPOINTS)]
    assert len(steps) == 5
    before = content(run / CHECKPOINTS / steps[2])
    again = trainer_for(run, checkpoints={"interval": 2, "keep": 9}, resume=True)
    again.resume(run / CHECKPOINTS / steps[2])
    again.train()
    assert [path.name for path in committed(run / CHECKPOINTS)] == steps
    assert content(run / CHECKPOINTS / steps[2]) == before
    calm = trainer_for()
    calm.train()
    for left, right in zip(states(again), states(calm), strict=True):
        assert_same_state(left, right)
