"""The course of a value in little memory, the little bars, and how fast a run is."""

import math

import pytest

from coterie._progress.history import History, sparkline
from coterie._progress.pace import Pace


@pytest.mark.parametrize("count", [1, 5, 127, 128, 129, 1000, 4096, 100_000])
def test_points_are_means_of_equal_shares(count):
    history = History()
    for value in range(count):
        history.add(float(value))
    points = history.points()
    assert len(points) <= 128
    share = 1
    while count // share >= 128:
        share *= 2
    expected = [
        sum(values) / len(values)
        for start in range(0, count, share)
        if (values := range(count)[start : start + share])
    ]
    assert points == pytest.approx(expected)


def test_what_is_not_finite_is_passed_over():
    history = History()
    for value in (1.0, math.nan, math.inf, 3.0):
        history.add(value)
    assert history.points() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("points", "width", "drawn"),
    [
        ([], 5, ""),
        ([3.0], 5, "▁"),
        ([3.0, 3.0], 5, "▁▁"),
        ([0.0, 7.0], 5, "▁█"),
        (list(range(8)), 8, "▁▂▃▄▅▆▇█"),
        (list(range(16)), 8, "▁▂▃▄▅▆▇█"),
        ([1e308, -1e308], 2, "█▁"),
        ([-5.0, 0.0, 5.0], 2, "▁█"),
        ([1.0, 2.0], 0, ""),
    ],
)
def test_sparklines(points, width, drawn):
    assert sparkline(points, width) == drawn


def test_a_sparkline_for_plain_terminals():
    assert sparkline(range(8), 8, ascii_only=True) == "_.-=+*%#"
    assert sparkline(range(8), 8, ascii_only=True).isascii()


def test_the_pace_is_that_of_the_last_seconds():
    pace = Pace(100.0)
    assert pace.at(101.0, 10) == pytest.approx(10)
    assert pace.at(110.0, 100) == pytest.approx(10)
    for second in range(111, 200):
        found = pace.at(float(second), 100 + 1000 * (second - 110))
    assert found == pytest.approx(1000)


def test_the_pace_when_the_clock_stands_still():
    assert Pace(5.0).at(5.0, 0) == 0.0


def test_the_pace_keeps_little():
    pace = Pace(0.0)
    for k in range(10_000):
        pace.at(k * 1e-4, k)
    assert len(pace._seen) <= 64
