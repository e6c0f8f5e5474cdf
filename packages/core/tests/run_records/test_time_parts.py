"""Microseconds per timestep, by hand."""

import pytest

from coterie._runs.time_parts import TimeParts


def test_parts_are_averaged_over_the_steps_since_the_last_time():
    parts = TimeParts(10)
    seconds = {"environment": 0.2, "members": 0.5, "members/read": 0.1}
    assert parts.take(seconds, 1.0, 20) == pytest.approx(
        {
            "time/environment": 20_000,
            "time/members": 50_000,
            "time/members/read": 10_000,
            "time/other": 30_000,
        }
    )
    seconds = {"environment": 0.3, "members": 0.6, "members/read": 0.1, "members/write": 0.05}
    assert parts.take(seconds, 1.3, 25) == pytest.approx(
        {
            "time/environment": 20_000,
            "time/members": 20_000,
            "time/members/read": 0,
            "time/members/write": 10_000,
            "time/other": 20_000,
        }
    )


def test_without_a_step_there_is_nothing_to_tell():
    assert TimeParts(3).take({"environment": 1.0}, 2.0, 3) == {}
