"""Groups, and curves on a common grid."""

import math

import numpy as np
import pytest

pytest.importorskip("scipy")

from coterie._report.curves import group_curves, member_curve
from coterie._report.grouping import group_members, mark, repeated_seeds
from coterie._report.reading import read_run, read_runs

METRIC = "episode/return"


def groups_of(*paths):
    return group_members(read_runs(paths, METRIC))


def test_members_of_all_runs_that_differ_in_their_seeds_are_a_group(runs):
    first = runs.write(
        "first",
        [runs.member("a", 0, rate=0.1), runs.member("b", 1, scope=(4, 8), rate=0.2)],
        [],
    )
    second = runs.write(
        "second", [runs.member("c", 2, scope=(8, 12), device="cuda:0", rate=0.1)], []
    )
    found = groups_of(first, second)
    assert [[m.name for m in g.members] for g in found] == [["a", "c"], ["b"]]
    assert [g.title for g in found] == ["A: rate=0.1", "B: rate=0.2"]


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({"rate": 0.2}, "rate=0.2"),
        ({"kind": "sac"}, "sac"),
        ({"scope": (4, 12)}, "instances=8"),
        ({"model": {"size": 8}}, "model.size=8"),
    ],
)
def test_what_else_differs_makes_another_group(runs, change, label):
    base = {"rate": 0.1, "model": {"size": 4}}
    members = [runs.member("a", 0, **base), runs.member("b", 1, **{**base, **change})]
    found = groups_of(runs.write("r", members, []))
    assert len(found) == 2
    assert found[1].label == label


def test_environments_and_their_settings_part_groups_that_share_a_mark(runs):
    paths = [
        runs.write("a", [runs.member()], []),
        runs.write("b", [runs.member()], [], env="torch:Other-v0"),
        runs.write("c", [runs.member()], [], env_settings={"wind": 3}),
    ]
    found = groups_of(*paths)
    assert [g.mark for g in found] == ["A", "A", "A"]
    assert len({g.environment for g in found}) == 3


def test_equal_seeds_are_found(runs):
    (group,) = groups_of(runs.seeds("a", [1.0, 2.0]), runs.seeds("b", [3.0]))
    assert repeated_seeds(group) == [0]


def test_marks_go_on_after_the_alphabet():
    assert [mark(k) for k in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_a_curve_on_a_grid_by_hand(runs):
    # 5 episodes at each of 40, 80, 120 and 160 steps; none ends between 160 and 200.
    rows = runs.episodes("a", [1.0, 2.0, 3.0, 4.0])
    rows.append((50, 200, 5.0, "a", "loss/policy", 0.5))
    (member,) = read_run(runs.write("r", [runs.member()], rows), "r").members
    edges = np.linspace(0, 400, 6)  # up to 80, 160, 240, 320, 400
    curve = member_curve(member, "steps", edges, 1)
    assert curve[:3].tolist() == [1.5, 3.5, 3.5]
    assert np.isnan(curve[3:]).all()
    # The last 15 episodes: of both intervals, as the second alone holds 10.
    assert member_curve(member, "steps", edges, 15)[:3].tolist() == [1.5, 2.5, 2.5]
    # Seconds: 1, 2, 3, 4, end at 5.
    by_time = member_curve(member, "time", np.array([0.0, 1.5, 3.0, 6.0]), 1)
    assert by_time.tolist() == [1.0, 2.5, 4.0]


def test_before_the_first_episode_there_is_no_value(runs):
    rows = runs.episodes("a", [7.0], every=30)
    (member,) = read_run(runs.write("r", [runs.member()], rows), "r").members
    curve = member_curve(member, "steps", np.linspace(0, 120, 4), 20)
    assert np.isnan(curve[:2]).all()
    assert curve[2] == 7.0


def test_a_groups_curve_is_the_interquartile_mean_of_who_is_there(runs):
    members = [runs.member(f"m{k}", k) for k in range(5)]
    rows = []
    for k, value in enumerate((0.0, 10.0, 20.0, 30.0, 1000.0)):
        rows += runs.episodes(f"m{k}", [value] * 4)
    ends = {"m3": 2, "m4": 1}  # these two failed
    rows = [row for row in rows if row[0] <= 10 * ends.get(row[3], 4)]
    rows += [(40, 160, 4.0, name, "failed", 1.0) for name in ends]
    (group,) = groups_of(runs.write("r", members, sorted(rows, key=lambda row: row[0])))
    (curve,) = group_curves([group], "steps", METRIC, points=4, resamples=200, seed=0)
    assert curve.x.tolist() == [40, 80, 120, 160]
    assert curve.seeds.tolist() == [5, 4, 3, 3]
    assert curve.mean.tolist() == [20.0, 15.0, 10.0, 10.0]
    assert (curve.low[:3] <= curve.mean[:3]).all()
    assert (curve.high[:3] >= curve.mean[:3]).all()


def test_two_seeds_have_a_mean_and_no_band(runs):
    groups = groups_of(runs.seeds("r", [4.0, 8.0], length=1))
    (curve,) = group_curves(groups, "time", METRIC, points=2, resamples=100, seed=0)
    assert curve.mean[-1] == 6.0
    assert math.isnan(curve.low[-1])


def test_a_group_without_a_value_has_no_curve(runs):
    groups = groups_of(runs.write("r", [runs.member()], []))
    assert group_curves(groups, "steps", METRIC, points=5, resamples=100, seed=0) == []
