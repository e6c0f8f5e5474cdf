"""The live table in a terminal: drawn now and then, gone without a trace, never in the way."""

import io
import os
import pty
import subprocess
import sys
import textwrap
import threading

import pytest

pytest.importorskip("rich")

from coterie import ConfigError, SequentialTrainer
from coterie._progress import live
from coterie._progress.choose import make_progress
from coterie._progress.interface import GuardedProgress, MemberView, NoProgress, View
from coterie._progress.live import LiveProgress
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, agents_for, assert_same_state


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def new_terminal(monkeypatch):
    """Put a terminal in the place of stderr when a test asks for it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def new():
        found = Terminal()
        monkeypatch.setattr(sys, "stderr", found)
        return found

    return new


def train(*classes, **cfg):
    env = CountingEnv(4)
    agents = agents_for(env, *(classes or (SumAgent, SumAgent)))
    cfg = {"timesteps": 20, "progress": "rich", "disable_progressbar": None, **cfg}
    trainer = SequentialTrainer(env=env, agents=agents, cfg=cfg)
    trainer.train()
    return trainer


def test_a_training_is_shown(new_terminal):
    terminal = new_terminal()
    before = sys.stdout, sys.stderr, threading.enumerate()
    trainer = train(SumAgent, RaisingAgent, on_member_failure="continue")
    assert (sys.stdout, sys.stderr, threading.enumerate()) == before
    last = terminal.getvalue().rpartition("\x1b[2K")[2]
    mean = trainer._tracker.members[0].mean_return
    assert f"{mean:.2f}" in last
    assert "failed" in last
    assert "20/20" in terminal.getvalue()
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_the_agents_learn_the_same(new_terminal):
    new_terminal()
    one, other = train(), train(disable_progressbar=True)
    for agent, twin in zip(one.agents, other.agents, strict=True):
        assert_same_state(agent.state_dict(), twin.state_dict())


def test_what_is_printed_meanwhile_stands_above(new_terminal, capsys):
    terminal = new_terminal()

    class Talking(SumAgent):
        def post_interaction(self, *args, **kwargs):
            print("a word", file=sys.stderr)
            print("for stdout")
            super().post_interaction(*args, **kwargs)

    train(Talking)
    assert "a word" in terminal.getvalue()
    assert capsys.readouterr().out == "for stdout\n" * 20


def test_after_an_exception_everything_is_as_it_was(new_terminal):
    terminal = new_terminal()
    before = sys.stdout, sys.stderr
    with pytest.raises(Exception, match="raising-0"):
        train(RaisingAgent)
    assert (sys.stdout, sys.stderr) == before
    assert "failed" in terminal.getvalue()


@pytest.mark.parametrize("disable", [False, None])
def test_nothing_is_shown_where_there_is_no_terminal(capsys, disable):
    train(disable_progressbar=disable)
    assert capsys.readouterr().err == ""


def test_it_can_be_hidden(new_terminal):
    terminal = new_terminal()
    train(disable_progressbar=True)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_can_not_move_its_cursor_gets_a_line(new_terminal, monkeypatch, term):
    terminal = new_terminal()
    monkeypatch.setenv("TERM", term)
    train()
    assert "20/20 [" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def test_without_colours(new_terminal, monkeypatch):
    terminal = new_terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    train(SumAgent, RaisingAgent, on_member_failure="continue")
    codes = {part.partition("m")[0] for part in terminal.getvalue().split("\x1b[")[1:]}
    assert not {code for code in codes if any(number in code for number in ("31", "32", "36"))}


def test_without_rich_it_is_told_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    env = CountingEnv(2)
    with pytest.raises(ConfigError, match=r'pip install "coterie-core\[rich\]"'):
        SequentialTrainer(
            env=env,
            agents=agents_for(env, SumAgent),
            cfg={"progress": "rich"},
            run_dir=tmp_path / "run",
        )
    assert list(tmp_path.iterdir()) == []


def test_a_kind_that_there_is_not():
    env = CountingEnv(2)
    with pytest.raises(ConfigError, match="progress"):
        SequentialTrainer(env=env, agents=agents_for(env, SumAgent), cfg={"progress": "richly"})


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


def test_it_is_drawn_at_most_four_times_a_second_and_in_a_hundredth_of_the_time(
    new_terminal, make_run, monkeypatch
):
    new_terminal()
    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    progress = LiveProgress(make_run(["a"]))
    view = View(members=[MemberView("active", 1.0)])
    assert progress.due
    progress.show(view)
    assert not progress.due
    clock.now = 0.24
    assert not progress.due
    clock.now = 0.25
    assert progress.due
    slow = progress._draw
    monkeypatch.setattr(
        progress, "_draw", lambda: (slow(), setattr(clock, "now", clock.now + 0.02))
    )
    progress.show(view)
    clock.now = 2.2
    assert not progress.due
    clock.now = 2.3
    assert progress.due
    progress.close()
    progress.close()


def test_a_progress_that_is_forgotten_gives_the_streams_back(new_terminal, make_run):
    new_terminal()
    before = sys.stdout, sys.stderr
    progress = LiveProgress(make_run(["a"]))
    progress.show(View(members=[MemberView("active", 1.0)]))
    assert sys.stderr is not before[1]
    del progress
    assert (sys.stdout, sys.stderr) == before


class Broken(NoProgress):
    """Raises at the call that it is told to."""

    due = True

    def __init__(self, where):
        self.where, self.calls = where, []

    def step(self):
        self.do("step")

    def show(self, view):
        self.do("show")

    def metrics(self, rows):
        self.do("metrics")

    def checkpoint(self, timestep):
        self.do("checkpoint")

    def close(self):
        self.do("close")

    def do(self, what):
        self.calls.append(what)
        if what == self.where:
            raise OSError(5, "Input/output error")


@pytest.mark.parametrize("where", ["step", "show", "metrics", "checkpoint", "close"])
def test_a_terminal_that_is_gone_does_not_stop_a_run(where, caplog):
    broken = Broken(where)
    progress = GuardedProgress(broken)
    for _ in range(2):
        progress.step()
        progress.show(View(members=[]))
        progress.metrics([])
        progress.checkpoint(3)
        progress.close()
    assert broken.calls.count(where) == (2 if where == "close" else 1)
    assert not progress.due
    assert caplog.text.count("the progress is not shown any more: OSError") == 1


def test_a_program_without_streams(make_run, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    for kind in ("bar", "rich"):
        assert isinstance(make_progress(make_run(["a"]), kind, False), NoProgress)


def test_a_checkpoint_is_shown(new_terminal, tmp_path):
    terminal = new_terminal()
    env = CountingEnv(4)
    SequentialTrainer(
        env=env,
        agents=agents_for(env, SumAgent),
        cfg={"timesteps": 20, "progress": "rich"},
        run_dir=tmp_path / "run",
    ).train()
    assert "checkpoint at 20" in terminal.getvalue()


SCRIPT = """
from coterie import SequentialTrainer
from coterie.testing import CountingEnv, SumAgent, agents_for
env = CountingEnv(4)
agents = agents_for(env, SumAgent, SumAgent)
cfg = {"timesteps": 30, "progress": "rich", "disable_progressbar": None}
SequentialTrainer(env=env, agents=agents, cfg=cfg).train()
"""


def test_in_a_real_terminal():
    main, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        stdin=side,
        stdout=side,
        stderr=side,
        env=environment,
    ) as child:
        os.close(side)
        parts = []
        while True:
            try:
                part = os.read(main, 65_536)
            except OSError:  # Linux's way of saying that the other side was closed
                break
            if not part:
                break
            parts.append(part)
    os.close(main)
    text = b"".join(parts).decode()
    assert child.returncode == 0, text
    assert "30/30" in text
    assert "sum-1" in text
