"""Interquartile means and probabilities of improvement, against numbers by hand."""

from itertools import product

import numpy as np
import pytest

pytest.importorskip("scipy")

from coterie._report.measures import compare, everywhere, result_bands, scaled
from coterie._report.statistics import improvement, interquartile_mean


def test_the_interquartile_mean_by_hand():
    # Of five values one is cut off at each end, of three none, of eight two.
    assert interquartile_mean([100.0, 1, 2, 3, 4])[0] == 3.0
    assert interquartile_mean([1.0, 2.0, 6.0])[0] == 3.0
    assert interquartile_mean([0.0, 0, 3, 4, 5, 6, 90, 99])[0] == 4.5
    assert interquartile_mean([7.0])[0] == 7.0


def test_points_of_a_curve_are_done_together():
    values = np.random.default_rng(1).normal(size=(6, 3))
    together = interquartile_mean(values, resamples=200)
    alone = [interquartile_mean(column, resamples=200) for column in values.T]
    for part in range(3):
        assert together[part] == pytest.approx([float(found[part]) for found in alone])


def test_the_interval_of_three_seeds_is_that_of_all_draws():
    # 27 draws with replacement, equally likely; of three values nothing is cut off.
    values = np.array([0.0, 1.0, 5.0])
    means = np.sort([np.mean(draw) for draw in product(values, repeat=3)])
    _, low, high = interquartile_mean(values, resamples=20_000)
    assert low == means[0]  # 1/27 of the draws, more than 2.5 %, are three times the lowest
    assert high == means[-1]


def test_the_interval_follows_the_spread_of_the_mean():
    values = np.random.default_rng(2).normal(size=200)
    mean, low, high = interquartile_mean(values, resamples=2000)
    assert low < mean < high
    # The interquartile mean of a normal sample has about 1.09 times the mean's deviation.
    assert high - low == pytest.approx(2 * 1.96 * 1.09 / np.sqrt(200), rel=0.2)


def test_strata_are_drawn_from_each_by_itself():
    # Without strata a draw could hold 10 more or less often, and the interval would be wide.
    _, low, high = interquartile_mean([0.0] * 4, [10.0] * 4, resamples=500)
    assert low == high == 5.0
    _, low, high = interquartile_mean([0.0] * 4 + [10.0] * 4, resamples=500)
    assert low < high


def test_fewer_than_three_seeds_have_no_interval():
    mean, low, high = interquartile_mean([1.0, 2.0])
    assert (mean, np.isnan(low), np.isnan(high)) == (1.5, True, True)
    assert np.isnan(interquartile_mean([1.0, 2, 3], [1.0, 2])[1])
    with pytest.raises(ValueError, match="at least one value"):
        interquartile_mean([])


def test_the_probability_of_improvement_by_hand():
    # Of the pairs of {1, 4} and {2, 4, 0}: 1 > 0, 4 > 2, 4 = 4, 4 > 0; that is 3.5 of 6.
    assert improvement([([1.0, 4], [2.0, 4, 0])]).mean == pytest.approx(3.5 / 6)
    # Two tasks weigh the same, however many seeds they have.
    found = improvement([([2.0], [1.0]), ([1.0, 1, 1, 1], [2.0, 2, 2])])
    assert found.mean == 0.5
    assert np.isnan(found.low)
    sure = improvement([([4.0, 5, 6], [1.0, 2, 3])])
    assert (sure.mean, sure.low, sure.high) == (1, 1, 1)


def test_the_interval_of_an_improvement_is_that_of_all_draws():
    x, y = [1.0, 3.0, 5.0], [2.0, 4.0, 6.0]
    draws = [
        np.mean([(a > b) + 0.5 * (a == b) for a in left for b in right])
        for left, right in product(product(x, repeat=3), product(y, repeat=3))
    ]
    expected = np.percentile(draws, [2.5, 97.5])
    found = improvement([(x, y)], resamples=20_000)
    assert found.mean == pytest.approx(3 / 9)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.06)


def test_the_same_seed_draws_the_same():
    values = np.random.default_rng(3).normal(size=9)
    once, again, other = (interquartile_mean(values, resamples=100, seed=s) for s in (5, 5, 6))
    assert once[1:] == again[1:]
    assert once[1:] != other[1:]


def group(mark, results, environment="e"):
    from coterie._report.records import Group, ReportedMember
    from coterie._runs.series import Series

    members = tuple(
        ReportedMember(
            run="r", name=str(k), kind="ppo", seed=k, device="cpu", instances=1,
            environment=environment, settings={}, status="trained", episodes=1, steps=1.0,
            wall_time=1.0, result=result, evaluation=None, failure=None, series=Series(),
        )
        for k, result in enumerate(results)
    )  # fmt: skip
    return Group(
        mark=mark, label=mark, environment=environment, kind="ppo", settings={}, members=members
    )


def test_both_directions_of_a_pair_add_up_to_one():
    groups = [group("A", [1.0, 2, 9]), group("B", [3.0, 4, 5]), group("C", [1.0])]
    found = compare([groups], resamples=200, seed=0)
    (there, back) = found
    assert [(p.first.mark, p.second.mark) for p in found] == [("A", "B"), ("B", "A")]
    assert there.probability.mean == pytest.approx(3 / 9)
    assert there.probability.mean + back.probability.mean == pytest.approx(1)
    assert there.probability.low == pytest.approx(1 - back.probability.high)


def test_a_member_without_a_result_does_not_count():
    bands = result_bands([group("A", [1.0, None, 3.0]), group("B", [None])], 100, 0)
    assert list(bands) == ["A"]
    assert bands["A"].mean == 2.0


def test_results_of_several_environments_are_scaled_by_each():
    tables = {
        "e": [group("A", [0.0, 10]), group("B", [5.0]), group("C", [99.0])],
        "f": [group("A", [-4.0]), group("B", [-2.0])],
    }
    shared = everywhere(tables)
    assert [[g.mark for g in groups] for groups in shared] == [["A", "B"], ["A", "B"]]
    assert scaled(shared) == [{"A": [0.0, 1.0], "B": [0.5]}, {"A": [0.0], "B": [1.0]}]
    assert everywhere({"e": tables["e"]}) == []
    assert everywhere({"e": tables["e"], "f": [group("Z", [1.0])]}) == []
