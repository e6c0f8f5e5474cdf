"""``coterie train``: what it writes, what it prints, how it ends."""

import json
import os
import signal
import threading

import pytest
import torch

from coterie._cli import folders
from coterie._cli.main import main
from coterie.testing import CountingEnv

RUN = ("train", "testing:Counting-v0", "--agent", "sum", "--members", "2", "--num-envs", "4")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(made_envs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_made_below_runs_and_shown(tmp_path, capsys):
    assert main([*RUN, "--timesteps", "30"]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.endswith("-Counting-v0")
    written = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert written >= {
        "run.json",
        "experiment.json",
        "metrics.csv",
        "summary.json",
        "agents/sum-s0.safetensors",
        "agents/sum-s1.safetensors",
    }
    out = capsys.readouterr().out
    assert "sum-s0" in out
    assert "mean return" in out
    assert f"run: runs/{run.name}" in out


def test_a_simulator_that_fails_to_close_does_not_cost_the_run(capsys, monkeypatch):
    def close(env):
        raise OSError("no window")

    monkeypatch.setattr(CountingEnv, "close", close)
    with pytest.warns(RuntimeWarning, match="no window"):
        assert main([*RUN, "--timesteps", "5"]) == 0
    assert "run: runs/" in capsys.readouterr().out


def test_runs_of_the_same_second_do_not_meet(tmp_path, monkeypatch):
    class Stopped(folders.datetime.datetime):
        @classmethod
        def now(cls, zone=None):
            return cls(2026, 11, 22, 18, 30, 0)

    monkeypatch.setattr(folders.datetime, "datetime", Stopped)
    for _ in range(2):
        assert main([*RUN, "--timesteps", "5"]) == 0
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["20261122-183000-Counting-v0", "20261122-183000-Counting-v0-2"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((*RUN, "--set", "scael=1"), 2, "members.0.settings.scael = 1: no such key"),
        ((*RUN, "--trainer", "step"), 2, "'sequential' does the same by itself"),
        (("train", "testing:Nowhere-v0", "--agent", "sum"), 2, "there is no 'Nowhere-v0'"),
        (("train", "testing:Counting-v0", "--agent", "summ"), 3, "did you mean 'sum'?"),
        ((*RUN, "--trainer", "absent"), 3, "pip install coterie-backends-absent"),
        ((*RUN, "--device", "cuda:99"), 2, "device 'cuda:99'"),
        ((*RUN, "--num-envs", "1"), 2, "2 agents need at least 2 instances"),
    ],
)
@pytest.mark.usefixtures("not_installed")
def test_bad_input_gets_a_message_and_leaves_nothing(tmp_path, capsys, arguments, code, words):
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_end_with_2(capsys):
    assert main(["train", "--mebers", "3"]) == 2
    assert main(["trian"]) == 2
    assert main([]) == 2
    assert "--members" in capsys.readouterr().err


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "run.json").write_text("{}")
    assert main([*RUN, "--run-dir", "mine"]) == 2
    assert "holds another run; nothing was overwritten" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["run.json"]


def test_a_member_that_fails_ends_with_5_and_leaves_its_traceback_in_the_run(tmp_path, capsys):
    arguments = ["train", "testing:Counting-v0", "--agent", "sum,raising", "--run-dir", "run"]
    assert main(arguments) == 5
    err = capsys.readouterr().err
    assert "agent 1 ('raising-s1') raised RuntimeError in act at step 3: out of ideas" in err
    assert "what was learned until step 2 was saved: run/agents" in err
    assert "last checkpoint: run/checkpoints/step-000000000000" in err
    assert "traceback: run/traceback.txt" in err
    assert "Traceback" not in err
    assert 'raise RuntimeError("out of ideas")' in (tmp_path / "run/traceback.txt").read_text()


def test_a_member_that_failed_while_the_others_went_on_ends_with_5_too(tmp_path, capsys):
    arguments = ["train", "testing:Counting-v0", "--agent", "sum,raising", "--run-dir", "run"]
    more = ["--trainer-set", "on_member_failure=continue", "--timesteps", "20"]
    assert main([*arguments, *more]) == 5
    out = capsys.readouterr().out
    assert "failed" in out
    assert "run: run" in out
    rows = json.loads((tmp_path / "run/summary.json").read_text())["members"]
    assert [row["status"] for row in rows] == ["trained", "failed"]


@pytest.mark.parametrize("how", ["raise", "nan"])
def test_an_environment_that_breaks_ends_with_6(capsys, how):
    broken = ["train", "testing:Broken-v0", "--agent", "sum", "--env-set", "at=4"]
    assert main([*broken, "--env-set", f"how={how}"]) == 6
    err = capsys.readouterr().err
    assert ("the environment raised RuntimeError: the simulator fell over" in err) == (
        how == "raise"
    )
    assert "last checkpoint:" in err


def test_an_environment_that_can_not_be_made_ends_with_6(capsys):
    assert main([*RUN, "--env-set", "sped=4"]) == 6
    assert "the environment raised TypeError" in capsys.readouterr().err


def test_debug_shows_the_traceback(capsys, monkeypatch):
    assert main([*RUN, "--set", "scael=1", "--debug"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    monkeypatch.setenv("COTERIE_DEBUG", "1")
    assert main([*RUN, "--set", "scael=1"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_bug_ends_with_1_and_says_what_to_do(capsys, monkeypatch):
    from coterie import SequentialTrainer

    def fail(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(SequentialTrainer, "make_executor", fail)
    assert main(list(RUN)) == 1
    err = capsys.readouterr().err
    assert "error: ZeroDivisionError: oh" in err
    assert "--debug" in err


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_finishes_the_step_saves_and_ends_with_its_code(
    tmp_path, caplog, capsys, name, code
):
    def send():
        os.kill(os.getpid(), getattr(signal, name))

    timer = threading.Timer(0.5, send)
    timer.start()
    try:
        assert main([*RUN, "--timesteps", "10000000", "--run-dir", "run"]) == code
    finally:
        timer.cancel()
    assert caplog.text.count(f"interrupted by {name} after step") == 1  # shown on stderr
    assert "interrupted" not in capsys.readouterr().err
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "interrupted"
    assert len(list((tmp_path / "run/agents").iterdir())) == 2


def test_torch_gets_the_threads_that_were_asked_for_and_then_its_own_again(monkeypatch):
    from coterie.testing import SumAgent

    seen = []
    record = SumAgent.record_transition
    monkeypatch.setattr(
        SumAgent,
        "record_transition",
        lambda self, *a, **k: (seen.append(torch.get_num_threads()), record(self, *a, **k)),
    )
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        main([*RUN, "--timesteps", "1"])
        main([*RUN, "--timesteps", "1", "--threads", "2"])
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        main([*RUN, "--timesteps", "1"])
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 2, 2, 3, 3]
