"""The progress bar, and the clocks that a run goes by."""

import csv
import multiprocessing
import subprocess
import sys
import textwrap
import time

import pytest

from coterie import SequentialTrainer
from coterie._progress.bar import BarProgress
from coterie._progress.interface import MemberView, View
from coterie._runs.records import MemberInfo, RunInfo
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, agents_for


def train(env=None, classes=(SumAgent, SumAgent), settings=None, run_dir=None, **cfg):
    env = env or CountingEnv(4)
    agents = agents_for(env, *classes, **(settings or {}))
    cfg = {"timesteps": 20, **cfg}
    return SequentialTrainer(env=env, agents=agents, cfg=cfg, run_dir=run_dir).train()


def test_shown(capsys):
    summary = train(disable_progressbar=False)
    text = capsys.readouterr().err
    assert "20/20" in text
    for member in summary.members:
        assert f"{member.name} {member.mean_return:.1f}" in text


def test_a_failed_member_is_shown(capsys):
    train(classes=(SumAgent, RaisingAgent), on_member_failure="continue")
    assert "raising-1 failed" in capsys.readouterr().err


@pytest.mark.parametrize("disable", [True, None])
def test_hidden(capsys, disable):
    train(disable_progressbar=disable)
    assert capsys.readouterr().err == ""


class Terminal:
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_a_terminal_is_noticed(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    train(disable_progressbar=None)
    assert "20/20" in terminal.text


def test_the_bar_counts_the_steps_of_its_run(capsys):
    member = MemberInfo(
        index=0, name="a", kind="k", seed=0, scope=(0, 1), device="cpu", settings={}
    )
    run = RunInfo(
        mode="train",
        trainer="t",
        environment="e",
        num_envs=1,
        first_timestep=40,
        timesteps=43,
        members=(member,),
        directory=None,
    )
    progress = BarProgress(run, False)
    for _ in range(3):
        progress.step()
    progress.show(View(members=[MemberView("active", None)]))
    assert not progress.due
    progress.close()
    text = capsys.readouterr().err
    assert "3/3" in text


def test_the_process_stays_as_it_was():
    """In a fresh process: the default start method is not fixed, and no thread is left."""
    script = """
        import multiprocessing, threading
        from coterie import SequentialTrainer
        from coterie.testing import CountingEnv, SumAgent, agents_for
        env = CountingEnv(2)
        SequentialTrainer(env=env, agents=agents_for(env, SumAgent), cfg={"timesteps": 3}).train()
        print(multiprocessing.get_start_method(allow_none=True), threading.active_count())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None", "1"]
    assert "3/3" in done.stderr


def test_a_wall_clock_that_jumps(tmp_path, monkeypatch):
    wall = iter(range(10**9, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: next(wall))
    begun = time.monotonic()
    summary = train(run_dir=tmp_path / "run", disable_progressbar=True, metrics_interval=1)
    assert 0 < summary.wall_time <= time.monotonic() - begun
    assert all(member.steps_per_second > 0 for member in summary.members)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        times = [float(row["wall_time"]) for row in csv.DictReader(file)]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= summary.wall_time + 1e-3


def test_the_shares_of_the_time():
    shares = train(disable_progressbar=True).time_shares
    assert set(shares) == {"environment", "members", "other"}
    assert all(share >= 0 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
    assert multiprocessing.active_children() == []
