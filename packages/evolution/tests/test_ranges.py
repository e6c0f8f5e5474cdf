"""Drawing from ranges and disturbing values, by hand."""

import math

import pytest

from coterie import ConfigError, structure
from coterie_evolution import Range
from coterie_evolution._ranges.draws import draw_all, explore, perturb, resample


class Numbers:
    """Gives these numbers, one after the other."""

    def __init__(self, *numbers):
        self._numbers = list(numbers)

    def random(self):
        return self._numbers.pop(0)

    @property
    def left(self):
        return len(self._numbers)


LOG = Range(type="log", low=1e-4, high=1e-2)
LINEAR = Range(type="linear", low=-1.0, high=3.0, step=0.25)
INT = Range(type="int", low=2, high=12, step=0.2)
CHOICE = Range(type="choice", values=("a", "b", "c"))
ORDERED = Range(type="choice", values=(8, 16, 32), ordered=True)


@pytest.mark.parametrize(
    ("own", "number", "expected"),
    [
        (LOG, 0.5, 1e-3),  # the geometric middle
        (LOG, 0.0, 1e-4),
        (LINEAR, 0.25, 0.0),
        (INT, 0.0, 2),
        (INT, 0.999, 12),
        (INT, 0.5, 7),  # the sixth of eleven numbers
        (CHOICE, 0.34, "b"),
        (CHOICE, 0.999, "c"),
    ],
)
def test_one_random_number_gives_a_value(own, number, expected):
    numbers = Numbers(number)
    found = resample(own, numbers)
    assert found == pytest.approx(expected) if isinstance(expected, float) else found == expected
    assert type(found) is type(expected)
    assert numbers.left == 0


@pytest.mark.parametrize(
    ("own", "value", "number", "expected"),
    [
        (LOG, 1e-3, 0.0, 8e-4),
        (LOG, 1e-3, 0.5, 1.25e-3),
        (LOG, 9e-3, 0.9, 1e-2),  # 1.125e-2 is outside
        (LINEAR, 0.5, 0.5, 1.5),  # a quarter of the width, 4, upwards
        (LINEAR, 0.5, 0.49, -0.5),
        (LINEAR, -0.5, 0.0, -1.0),
        (INT, 6, 0.9, 8),  # a fifth of the width, 10
        (INT, 3, 0.1, 2),
        (Range(type="int", low=0, high=3), 1, 0.9, 2),  # 0.3 rounds to 0, but it moves by 1
        (CHOICE, "b", 0.0, "a"),
        (CHOICE, "b", 0.5, "c"),
        (CHOICE, "z", 0.5, "b"),  # not among them: any
        (ORDERED, 16, 0.1, 8),
        (ORDERED, 16, 0.9, 32),
        (ORDERED, 32, 0.9, 32),
    ],
)
def test_a_disturbed_value(own, value, number, expected):
    numbers = Numbers(number)
    found = perturb(own, value, numbers)
    assert found == pytest.approx(expected) if isinstance(expected, float) else found == expected
    assert type(found) is type(expected)
    assert numbers.left == 0


def test_settings_are_drawn_in_order_of_their_names():
    drawn = draw_all({"z": LINEAR, "a": CHOICE}, Numbers(0.0, 0.5))
    assert drawn == {"a": "a", "z": 1.0}


def test_each_setting_is_disturbed_or_drawn_anew():
    numbers = Numbers(0.3, 0.9, 0.2, 0.25)  # "a": not below 0.25, so disturbed; "z": anew
    found = explore({"z": LINEAR, "a": CHOICE}, {"z": 3.0, "a": "a"}, numbers, 0.25)
    assert found == {"a": "c", "z": 0.0}
    assert numbers.left == 0


def test_draws_stay_inside_for_every_number():
    for number in (0.0, 1e-12, 0.1, 0.5, 1 - 2**-53):
        for own in (LOG, LINEAR, INT):
            assert own.holds(resample(own, Numbers(number)))
            for value in own.extremes:
                assert own.holds(perturb(own, value, Numbers(number)))
    assert math.isclose(resample(LOG, Numbers(1 - 2**-53)), 1e-2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "log", "low": 0.0, "high": 1.0}, "low must be more than 0"),
        ({"type": "linear", "low": 1.0, "high": 1.0}, "low must be less than high"),
        ({"type": "linear", "low": 1.0}, "needs low and high"),
        ({"type": "int", "low": 1.5, "high": 3.0}, "whole numbers"),
        ({"type": "choice", "values": [1]}, "at least two values"),
        ({"type": "choice", "values": [1, 1]}, "must differ"),
        ({"type": "choice", "low": 1.0, "values": [1, 2]}, "not for type 'choice'"),
        ({"type": "log", "low": 1.0, "high": 2.0, "values": [1]}, "values are for type 'choice'"),
        ({"type": "log", "low": 1.0, "high": 2.0, "factors": [1.0]}, "other than 1"),
        ({"type": "lag", "low": 1.0, "high": 2.0}, "did you mean 'log'"),
        ({"type": "log", "lo": 1.0, "high": 2.0}, "did you mean 'low'"),
    ],
)
def test_bad_ranges_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        structure(Range, settings, source="range")
