"""A logger that raises stops nothing, and is left alone for a while."""

import logging

import pytest

from coterie import Logger, MetricRow
from coterie._loggers import group
from coterie._loggers.group import Loggers

ROW = MetricRow(timestep=1, env_steps=1, wall_time=0.0, member="a", name="x", value=0.0)


class Scripted(Logger):
    """Does what its script says, call after call."""

    def __init__(self, run, script=()):
        super().__init__(run)
        self.script, self.calls = list(script), []

    def write(self, rows):
        self.do("write")

    def position(self):
        if not self.script or self.script[0] != "later":
            self.do("position")
        return {"calls": len(self.calls)}

    def finish(self, summary):
        self.do("finish")

    def close(self):
        self.do("close")

    def do(self, what):
        self.calls.append(what)
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(group, "time", found)
    return found


def test_after_three_times_it_rests_longer_and_longer(run, clock, caplog):
    bad = Scripted(run, [OSError("down")] * 4)
    good = Scripted(run)
    loggers = Loggers([("bad", bad), ("good", good)])
    for _ in range(5):
        loggers.write([ROW])
    assert len(bad.calls) == 3
    assert "left alone for 60 s" in caplog.text
    clock.now += 61
    loggers.write([ROW])
    assert len(bad.calls) == 4
    assert "left alone for 120 s" in caplog.text
    clock.now += 61
    loggers.write([ROW])
    assert len(bad.calls) == 4
    clock.now += 60
    loggers.write([ROW])
    loggers.write([ROW])
    assert len(bad.calls) == 6
    assert "bad is back; 7 metrics are missing" in caplog.text
    assert good.calls == ["write"] * 9


def test_a_rest_is_never_longer_than_an_hour(run, clock, caplog):
    bad = Scripted(run, [OSError("down")] * 20)
    loggers = Loggers([("bad", bad)])
    for _ in range(20):
        loggers.write([ROW])
        clock.now += 3601
    assert len(bad.calls) == 20
    assert "7200" not in caplog.text


def test_failures_with_successes_between_are_no_reason_to_rest(run, clock):
    bad = Scripted(run, [OSError("down"), OSError("down"), None] * 10)
    loggers = Loggers([("bad", bad)])
    for _ in range(30):
        loggers.write([ROW])
    assert len(bad.calls) == 30


def test_the_traceback_is_told_once(run, clock, caplog):
    loggers = Loggers([("bad", Scripted(run, [ValueError("why")] * 3))])
    for _ in range(3):
        loggers.write([ROW])
    assert [record.exc_info is not None for record in caplog.records] == [False, False, True]
    assert all("logger bad: write raised ValueError: why" in r.message for r in caplog.records)


def test_one_that_can_not_tell_its_position_is_left_out(run, caplog):
    loggers = Loggers([("bad", Scripted(run, [OSError("x")])), ("good", Scripted(run))])
    assert loggers.position() == {"good": {"calls": 1}}
    assert "position raised" in caplog.text


def test_the_last_calls_come_whatever_happens(run, caplog):
    loggers = Loggers([("bad", Scripted(run, [SystemExit(1)] * 4)), ("good", Scripted(run))])
    with caplog.at_level(logging.WARNING, "coterie"):
        loggers.write([ROW])
        loggers.finish(None)
    assert [logger.calls for logger in loggers] == [["write", "position", "finish", "close"]] * 2
    assert "bad: 1 metrics are missing" in caplog.text


def test_an_interrupt_is_not_swallowed(run):
    loggers = Loggers([("bad", Scripted(run, [KeyboardInterrupt()]))])
    with pytest.raises(KeyboardInterrupt):
        loggers.write([ROW])
