"""Events of a run: every plugin hears of them, none can stop the run."""

import logging
from typing import ClassVar

import pytest

from coterie._registry.manager import Registry
from coterie.plugins import hookimpl


class Plugin:
    """Calls a function at each event of one kind."""

    def __init__(self, function):
        @hookimpl
        def coterie_metrics_ready(run, rows):
            function(run, rows)

        self.coterie_metrics_ready = coterie_metrics_ready


def with_plugins(*plugins):
    registry = Registry()
    for index, plugin in enumerate(plugins):
        registry.register(plugin, name=f"p{index}")
    return registry


def emit(registry, run="run", rows=()):
    registry.emit("coterie_metrics_ready", run=run, rows=rows)


def test_every_plugin_gets_the_arguments_last_registered_first():
    seen = []
    registry = with_plugins(
        Plugin(lambda run, rows: seen.append(("p0", run, rows))),
        Plugin(lambda run, rows: seen.append(("p1", run, rows))),
    )
    emit(registry, run="r", rows=[1])
    assert seen == [("p1", "r", [1]), ("p0", "r", [1])]


def test_an_implementation_gets_only_the_arguments_that_it_names():
    class Short:
        seen: ClassVar = []

        @hookimpl
        def coterie_metrics_ready(self, rows):
            self.seen.append(rows)

    emit(with_plugins(Short()), rows=[7])
    assert Short.seen == [[7]]


def test_nobody_listens_and_nothing_happens():
    assert emit(Registry()) is None


@pytest.mark.parametrize("error", [ValueError("broken pen"), SystemExit(4)])
def test_one_that_raises_is_called_three_times_and_the_others_always(error, caplog):
    calls, heard = [], []

    def fails(run, rows):
        calls.append(rows)
        raise error

    registry = with_plugins(Plugin(lambda run, rows: heard.append(rows)), Plugin(fails))
    with caplog.at_level(logging.WARNING, logger="coterie"):
        for step in range(5):
            emit(registry, rows=step)
    assert calls == [0, 1, 2]
    assert heard == [0, 1, 2, 3, 4]
    assert len(caplog.records) == 3
    first, last = caplog.records[0].getMessage(), caplog.records[2].getMessage()
    assert "p1" in first
    assert "coterie_metrics_ready" in first
    assert str(error) in first
    assert "not called any more" in last
    assert "not called any more" not in first


def test_an_interrupt_in_a_hook_is_not_swallowed():
    def interrupt(run, rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emit(with_plugins(Plugin(interrupt)))


def test_strikes_are_counted_per_hook():
    class Two:
        calls: ClassVar = []

        @hookimpl
        def coterie_run_started(self, run):
            self.calls.append("started")
            raise ValueError

        @hookimpl
        def coterie_run_finished(self, run, summary):
            self.calls.append("finished")

    registry = with_plugins(Two())
    for _ in range(5):
        registry.emit("coterie_run_started", run="run")
    registry.emit("coterie_run_finished", run="run", summary="summary")
    assert Two.calls == ["started"] * 3 + ["finished"]
