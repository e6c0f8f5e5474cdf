"""Steering from another process: the folder, and the command."""

import json
import threading
import time

import pytest

from coterie import ConfigError
from coterie._checkpoints.disk import FolderLock, is_locked
from coterie._cli.main import main
from coterie._steering.commands import Answer, Command, make_command
from coterie._steering.mailbox import Mailbox, post, wait
from coterie.testing import CountingEnv

SET = Command(name="set", member="a", settings={"rate": 0.1})


def test_commands_come_in_order_once_and_are_answered(tmp_path):
    box = Mailbox(tmp_path)
    assert not box.looks_changed()
    names = [post(tmp_path, command) for command in (SET, Command(name="pause"), SET)]
    assert box.looks_changed()
    assert box.take() == [(names[0], SET), (names[1], Command(name="pause")), (names[2], SET)]
    assert box.take() == []
    box.answer(names[1], Answer(done=True, text="so be it", timestep=7))
    assert wait(tmp_path, names[1], 0.0) == Answer(done=True, text="so be it", timestep=7)
    assert list((tmp_path / "steer").iterdir()) == []


def test_what_nobody_takes_is_withdrawn(tmp_path):
    name = post(tmp_path, SET)
    assert wait(tmp_path, name, 0.05) is None
    assert Mailbox(tmp_path).take() == []


def test_a_command_right_after_a_look_is_seen(tmp_path):
    box = Mailbox(tmp_path)
    for _ in range(50):
        post(tmp_path, SET)
        assert box.looks_changed()
        assert len(box.take()) == 1


def test_an_unchanged_folder_is_not_listed_again(tmp_path, monkeypatch):
    box = Mailbox(tmp_path)
    post(tmp_path, SET)
    assert box.looks_changed()
    box._changed -= 10.0
    monkeypatch.setattr(box, "_names", lambda: pytest.fail("it was listed again"))
    assert not box.looks_changed()
    monkeypatch.undo()
    box._listed -= 10.0
    assert box.looks_changed()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "can't be read"),
        ("[]", "no command None"),
        ("7", "can't be read"),
        ('{"name": "paws"}', "did you mean 'pause'"),
        ('{"name": "set", "member": "a"}', "needs settings"),
        ('{"name": "set", "settings": {"a": 1}}', "needs the name of a member"),
        ('{"name": "pause", "member": "a"}', "about the whole run"),
        ('{"name": "pause", "settings": {"a": 1}}', "has no settings"),
        ('{"name": "set", "member": "a", "settings": [1]}', "values by name"),
        ('{"name": "pause", "more": 1, "member": ["a"]}', "about the whole run"),
        (" " * 70_000, "too long"),
    ],
)
def test_nonsense_is_answered_and_goes(tmp_path, content, words):
    folder = tmp_path / "steer"
    folder.mkdir()
    (folder / "1.json").write_text(content)
    assert Mailbox(tmp_path).take() == []
    answer = wait(tmp_path, "1", 0.0)
    assert not answer.done
    assert words in answer.text


def test_commands_are_checked():
    assert make_command("set", "a", {"rate": 0.1}) == SET
    with pytest.raises(ConfigError, match="there are pause, resume, stop, set, checkpoint"):
        make_command("explode")


def test_who_holds_a_folder(tmp_path):
    assert not is_locked(tmp_path)
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert is_locked(tmp_path)
    lock.release()
    assert not is_locked(tmp_path)


class Slow(CountingEnv):
    """Steps slowly enough to be steered."""

    def step(self, actions):
        time.sleep(0.002)
        return super().step(actions)


@pytest.fixture
def under_way(tmp_path):
    """Train in a thread until the test is over."""
    from coterie import SequentialTrainer
    from coterie.testing import SumAgent, agents_for

    env = Slow(4)
    trainer = SequentialTrainer(
        env=env,
        agents=agents_for(env, SumAgent, SumAgent),
        cfg={"timesteps": 1_000_000, "disable_progressbar": True},
        run_dir=tmp_path / "run",
    )
    thread = threading.Thread(target=trainer.train, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not is_locked(tmp_path / "run") or trainer._controllers.journal._path is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield tmp_path / "run"
    for member in trainer.members:
        if member.active:
            trainer.steering.stop(member.name).result(30)
    thread.join(30)
    assert not thread.is_alive()


def test_the_command_line(under_way, capsys):
    run = str(under_way)
    for arguments, code, words in (
        (("set", "sum-0", "scale=2.5"), 0, "scale from 1.0 to 2.5"),
        (("set", "sum-0", "scael=2.5"), 2, "did you mean 'scale'"),
        (("set", "sum-0"), 2, "needs settings"),
        (("stop",), 2, "needs the name of a member"),
        (("pause",), 0, "paused after step"),
        (("pause",), 2, "paused already"),
        (("checkpoint",), 0, "step-"),
        (("resume",), 0, "goes on"),
        (("stop", "sum-1"), 0, "sum-1 is stopped"),
    ):
        assert main(["steer", run, *arguments]) == code, arguments
        captured = capsys.readouterr()
        assert words in (captured.out if code == 0 else captured.err)
    events = [json.loads(line) for line in (under_way / "lineage.jsonl").read_text().splitlines()]
    assert [entry["event"] for entry in events] == [
        "settings", "pause", "checkpoint", "resume", "stop",
    ]  # fmt: skip
    assert {entry["by"] for entry in events} == {"steering"}


def test_a_run_that_is_not_under_way(under_way, tmp_path, capsys):
    assert main(["steer", str(tmp_path / "nowhere"), "pause"]) == 2
    assert "holds no run" in capsys.readouterr().err
    for status, words in (("finished", "it is finished"), ("running", "coterie resume")):
        folder = tmp_path / status
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"status": status}))
        assert main(["steer", str(folder), "pause"]) == 2
        assert words in capsys.readouterr().err
        assert not (folder / "steer").exists()
