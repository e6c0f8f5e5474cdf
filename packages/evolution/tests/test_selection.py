"""Who copies whom, by hand and for all fitnesses."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie_evolution._halving.rungs import rung_at, stopped_at
from coterie_evolution._pbt.migration import migrants
from coterie_evolution._pbt.selection import tournament, truncation


class Numbers:
    """Gives these numbers, one after the other."""

    def __init__(self, *numbers):
        self._numbers = list(numbers)

    def random(self):
        return self._numbers.pop(0)


def test_the_worst_copy_the_best():
    fitness = {0: 5.0, 1: 1.0, 2: 4.0, 3: 2.0, 4: 3.0, 5: 0.0, 6: 9.0, 7: 8.0}
    # The best quarter is 6 and 7, the worst 1 and 5; heirs draw in order of their indices.
    assert truncation(fitness, 0.25, Numbers(0.7, 0.2)) == {1: 7, 5: 6}
    assert truncation(fitness, 0.25, Numbers(0.0, 0.99)) == {1: 6, 5: 7}


def test_at_least_one_is_replaced_and_at_most_a_half():
    assert truncation({0: 1.0, 1: 2.0, 2: 3.0}, 0.25, Numbers(0.0)) == {0: 2}
    assert truncation({0: 1.0, 1: 2.0, 2: 3.0}, 0.5, Numbers(0.0)) == {0: 2}
    assert truncation({0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}, 0.5, Numbers(0.9, 0.1)) == {0: 2, 1: 3}


def test_equals_do_not_copy_each_other():
    assert truncation({0: 1.0, 1: 1.0}, 0.5, Numbers(0.0)) == {}
    assert truncation({0: 1.0}, 0.5, Numbers()) == {}
    assert truncation({}, 0.5, Numbers()) == {}
    assert tournament({3: 1.0}, Numbers()) == {}


def test_a_tournament():
    # 0 meets 2 (0.5 of [1, 2]), 1 meets 0 (0.0 of [0, 2]), 2 meets 1 (0.9 of [0, 1]).
    assert tournament({0: 1.0, 1: 2.0, 2: 3.0}, Numbers(0.5, 0.0, 0.9)) == {0: 2}
    assert tournament({0: 3.0, 1: 2.0, 2: 1.0}, Numbers(0.5, 0.0, 0.9)) == {1: 0, 2: 1}


def test_migrants():
    fitness = {0: 1.0, 1: 5.0, 2: 4.0, 3: 2.0, 4: 4.5}
    assert migrants([[0, 1], [2, 3], [4]], fitness) == {0: 4, 3: 1, 4: 1}
    assert migrants([[0, 1], [2, 3]], {0: 1.0, 1: 2.0}) == {}


fitnesses = st.dictionaries(st.integers(0, 30), st.floats(-1e6, 1e6), max_size=12)


@settings(deadline=None)
@given(fitnesses, st.floats(0, 0.5), st.integers(0, 2**32))
def test_nobody_copies_a_worse_one_or_one_that_is_replaced(fitness, fraction, seed):
    pairs = truncation(fitness, fraction, random.Random(seed))
    assert set(pairs) <= set(fitness)
    assert len(pairs) <= max(1, len(fitness) // 2)
    assert not set(pairs) & set(pairs.values())
    for found in (pairs, tournament(fitness, random.Random(seed))):
        assert all(fitness[donor] > fitness[heir] for heir, donor in found.items())


@settings(deadline=None)
@given(fitnesses, st.integers(0, 2**32))
def test_the_best_is_never_replaced(fitness, seed):
    best = max(fitness.values(), default=0.0)
    for pairs in (
        truncation(fitness, 0.5, random.Random(seed)),
        tournament(fitness, random.Random(seed)),
    ):
        assert not any(fitness[heir] == best for heir in pairs)


@pytest.mark.parametrize(
    ("timestep", "rung"), [(0, None), (9, None), (10, 0), (20, None), (30, 1), (90, 2), (91, None)]
)
def test_rungs(timestep, rung):
    assert rung_at(timestep, 10, 3) == (rung if timestep else None)


def test_who_stops_at_a_rung():
    results = {"a": 1.0, "b": 4.0, "c": 2.0, "d": 3.0}
    assert stopped_at(results, results, 2, 1) == ["c", "a"]
    assert stopped_at(results, results, 3, 1) == ["d", "c", "a"]
    assert stopped_at(results, results, 4, 3) == ["a"]
    assert stopped_at({"a": 1.0}, {"a": 1.0}, 2, 1) == []


def test_who_comes_later_is_compared_with_all_that_were_there():
    earlier = {"a": 5.0, "b": 6.0, "c": 7.0}
    assert stopped_at(earlier | {"d": 5.5}, {"d": 5.5}, 2, 0) == ["d"]
    assert stopped_at(earlier | {"d": 6.5}, {"d": 6.5}, 2, 0) == []
    assert stopped_at(earlier | {"d": 5.5}, {"d": 5.5}, 2, 1) == []


def test_of_equals_the_earlier_goes_on():
    results = {"x": 1.0, "y": 1.0, "a": 1.0}
    assert stopped_at(results, results, 3, 1) == ["y", "a"]
