"""Reading runs: what they tell, and what is damaged in them."""

import json

import pytest

from coterie import ConfigError
from coterie._report.reading import read_run, read_runs, run_names
from coterie._runs import series
from coterie._runs.metrics_file import read_metrics


def test_a_member_is_what_run_summary_and_metrics_tell(runs):
    path = runs.write(
        "one",
        [runs.member("a", seed=7, scope=(4, 12), rate=0.1, model={"size": 8, "shape": [1, 2]})],
        runs.episodes("a", [1.0, 2.0], instances=8),
        [runs.ended("a", 1.75)],
        env_settings={"velocities": False},
    )
    run = read_run(path, "one")
    (member,) = run.members
    assert run.status == "finished"
    assert run.environment == "torch:Toy-v0 (velocities=False)"
    assert run.facts["command"] == "coterie train torch:Toy-v0"
    assert (member.name, member.seed, member.kind, member.instances) == ("a", 7, "ppo", 8)
    assert member.settings == {
        "rate": 0.1, "model.size": 8, "model.shape": "[1, 2]", "instances": 8,
    }  # fmt: skip
    assert (member.result, member.status, member.episodes) == (1.75, "trained", 10)
    assert (member.steps, member.wall_time) == (160, 2.0)
    assert list(member.series.values) == [1.0, 2.0]


def test_without_a_summary_the_last_hundred_episodes_of_the_metrics_count(runs):
    # 50 episodes per row: the last two rows hold the last hundred.
    rows = runs.episodes("a", [1.0, 5.0, 7.0], per_value=50)
    run = read_run(runs.write("live", [runs.member()], rows), "live")
    assert run.status == "running"
    assert run.members[0].result == 6.0
    assert run.members[0].status == "unfinished"
    assert any("still runs, or it was killed" in note for note in run.notes)


def test_the_summary_of_a_run_that_goes_on_is_old(runs):
    path = runs.write(
        "again", [runs.member()], runs.episodes("a", [3.0]), [runs.ended("a", 99.0)],
        status="running",
    )  # fmt: skip
    assert read_run(path, "again").members[0].result == 3.0


def test_another_scalar_counts_with_its_last_twenty_values(runs):
    rows = [(k, k, k, "a", "loss/policy", float(k)) for k in range(1, 31)]
    rows.append((31, 31, 31, "a", "loss/policy", "nan"))
    path = runs.write("loss", [runs.member()], rows, [runs.ended("a", 5.0)])
    run = read_run(path, "loss", "loss/policy")
    assert run.members[0].result == sum(range(11, 31)) / 20
    assert any("1 values of loss/policy that are not finite" in note for note in run.notes)


def test_what_was_written_after_a_failure_is_not_the_members(runs):
    rows = [
        *runs.episodes("a", [10.0, 20.0]),
        (30, 120, 3.0, "a", "episode/return", -99.0),
        (30, 120, 3.0, "a", "episode/count", 90.0),
        (30, 120, 3.0, "a", "failed", 1.0),
        *runs.episodes("b", [1.0, 1.0, 1.0]),
    ]
    broken = {"status": "failed", "failure": "it broke", "failed_in": "act", "failed_at": 27}
    ends = [{**runs.ended("a", -80.0), **broken}, runs.ended("b", 1.0)]
    members = [runs.member("a"), runs.member("b", 1, scope=(4, 8))]
    failed, other = read_run(runs.write("fail", members, rows, ends), "fail").members
    assert (failed.status, failed.result, failed.steps, failed.episodes) == ("failed", 15.0, 80, 10)
    assert (failed.failure.phase, failed.failure.timestep) == ("act", 27)
    assert failed.failure.message == "it broke"
    assert (other.status, other.result, other.failure) == ("trained", 1.0, None)


def test_a_failure_without_a_summary_is_seen_in_the_metrics(runs):
    rows = [*runs.episodes("a", [10.0]), (20, 80, 2.0, "a", "failed", 1.0)]
    (member,) = read_run(runs.write("killed", [runs.member()], rows), "killed").members
    assert (member.status, member.failure.timestep, member.failure.phase) == ("failed", 20, None)


def test_a_member_that_takes_part_again_has_not_failed(runs):
    rows = [
        *runs.episodes("a", [1.0]),
        (20, 80, 2.0, "a", "failed", 1.0),
        (30, 120, 3.0, "a", "episode/return", 2.0),
        (30, 120, 3.0, "a", "episode/count", 12.0),
    ]
    found = read_metrics(runs.write("r", [runs.member()], rows) / "metrics.csv").members["a"]
    assert found.failed_at is None
    assert list(found.series.values) == [1.0, 2.0]
    assert list(found.series.weights) == [5.0, 7.0]


def test_a_member_whose_episodes_are_long_reaches_the_end_of_the_run(runs):
    rows = [*runs.episodes("a", [1.0]), (100, 800, 9.5, "", "time/environment", 5.0)]
    (member,) = read_run(runs.write("r", [runs.member()], rows), "r").members
    assert (member.steps, member.wall_time) == (400, 9.5)


def test_shares_of_the_time_from_the_metrics(runs):
    rows = [
        (10, 80, 1.0, "", "time/environment", 100.0),
        (10, 80, 1.0, "", "time/members", 300.0),
        (10, 80, 1.0, "", "time/members/act", 200.0),
        (40, 320, 2.0, "", "time/environment", 200.0),
        (40, 320, 2.0, "", "time/members", 100.0),
        (40, 320, 2.0, "", "time/members/act", 0.0),
    ]
    run = read_run(runs.write("r", [runs.member()], rows), "r")
    # 10 timesteps of 100 and 300 microseconds, 30 of 200 and 100: 7000 and 6000 of 13000.
    assert run.shares == pytest.approx(
        {"environment": 7 / 13, "members": 6 / 13, "members/act": 2 / 13}
    )


def test_the_newest_evaluation_is_read(runs):
    path = runs.write("r", [runs.member()], [], [runs.ended("a", None)])
    (path / "evaluations").mkdir()
    for number, value in ((9, 1.0), (10, 2.0)):
        content = {"members": [{"name": "a", "mean_return": value}]}
        (path / "evaluations" / f"{number:04d}.json").write_text(json.dumps(content))
    assert read_run(path, "r").members[0].evaluation == 2.0


def test_a_line_that_is_half_written_is_left_out(runs):
    path = runs.write("r", [runs.member()], runs.episodes("a", [1.0]))
    with (path / "metrics.csv").open("a", newline="") as file:
        file.write("20,80,2.0,a,episode/return,4")  # of 495.2
    run = read_run(path, "r")
    assert list(run.members[0].series.values) == [1.0]
    assert not any("damaged" in note for note in run.notes)


@pytest.mark.parametrize(
    "line",
    [
        "20,80,2.0,a",
        "20,eighty,2.0,a,episode/return,3",
        "20,inf,2,a,episode/return,3",
        "\x00\xff",
        "",
    ],
)
def test_damaged_rows_are_left_out_and_told(runs, line):
    path = runs.write("r", [runs.member()], runs.episodes("a", [1.0]))
    with (path / "metrics.csv").open("a", newline="") as file:
        file.write(f"{line}\r\n30,120,3.0,a,episode/return,5.0\r\n")
    run = read_run(path, "r")
    assert list(run.members[0].series.values) == [1.0, 5.0]
    assert any("1 damaged rows" in note for note in run.notes)


def test_a_run_that_was_killed_at_once_has_no_values(runs):
    path = runs.write("r", [runs.member()], [])
    (path / "metrics.csv").write_text("")
    assert read_run(path, "r").members[0].result is None
    (path / "metrics.csv").unlink()
    assert any("no metrics.csv" in note for note in read_run(path, "r").notes)


def test_a_damaged_summary_is_told(runs):
    path = runs.write("r", [runs.member()], runs.episodes("a", [4.0]), [])
    (path / "summary.json").write_text('{"members": [')
    run = read_run(path, "r")
    assert run.members[0].result == 4.0
    assert any("summary.json" in note for note in run.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"holds no run: it has no run.json; give folders"),
        ("{", "damaged, it holds no JSON"),
        ("[1]", "holds no JSON object"),
        ("[" * 100_000, "damaged"),
        ('{"members": []}', "which format"),
        ('{"format": 1, "members": []}', "names no members"),
        ('{"format": 1, "members": "all"}', "names no members"),
        ('{"format": 99, "members": []}', "newer Coterie"),
    ],
)
def test_what_is_no_run(tmp_path, content, message):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_runs([tmp_path], "episode/return")


def test_a_wrong_name_is_told_with_the_nearest(runs):
    runs.seeds("second", [1.0])
    with pytest.raises(ConfigError, match=r"no run .*secnd; did you mean 'second'\?"):
        read_runs([runs.folder / "secnd"], "episode/return")


def test_a_metric_that_no_run_has(runs):
    path = runs.seeds("r", [1.0])
    with pytest.raises(ConfigError, match=r"'episode/retrun'; did you mean 'episode/return'"):
        read_runs([path], "episode/retrun")


def test_types_that_are_not_as_they_should_be_hurt_nobody(runs):
    row = {"name": 5, "kind": None, "seed": "x", "scope": "all", "device": [], "settings": [1]}
    path = runs.write(
        "r", [row, 3], runs.episodes("5", [1.0]), [{"name": 5, "mean_return": "high"}],
        environment="none", versions=[1], command="x",
    )  # fmt: skip
    (member,) = read_run(path, "r").members
    assert (member.name, member.seed, member.instances, member.result) == ("5", None, 0, 1.0)


def test_a_run_that_is_given_twice_counts_once(runs, monkeypatch):
    path = runs.seeds("r", [1.0])
    monkeypatch.chdir(runs.folder)
    assert len(read_runs([path, path.relative_to(runs.folder)], "episode/return")) == 1


def test_runs_are_named_as_far_as_needed(tmp_path):
    assert run_names([tmp_path / "a" / "x", tmp_path / "a" / "y"]) == ["x", "y"]
    assert run_names([tmp_path / "a" / "x", tmp_path / "b" / "x"]) == ["a/x", "b/x"]


def test_long_metrics_are_kept_in_few_points_with_the_same_mean(runs, monkeypatch):
    monkeypatch.setattr(series, "LIMIT", 16)
    values = [float(k % 7) for k in range(1000)]
    path = runs.write("r", [runs.member()], runs.episodes("a", values))
    (member,) = read_run(path, "r").members
    steps, _, kept, weights = member.series.arrays()
    assert len(kept) <= 16
    assert weights.sum() == 5000
    assert (kept * weights).sum() / 5000 == pytest.approx(sum(values) / 1000)
    assert steps[-1] == 1000 * 10 * 4
    assert (steps[1:] > steps[:-1]).all()


def test_a_member_that_was_stopped(runs):
    rows = [*runs.episodes("a", [10.0, 20.0]), *runs.episodes("b", [1.0, 2.0, 3.0, 4.0])]
    rows += [(k * 10, k * 40, float(k), "a", "stopped", 1.0) for k in (2, 3, 4)]
    rows.sort(key=lambda row: row[0])
    members = [runs.member("a"), runs.member("b", seed=1, scope=(4, 8))]
    ends = [runs.ended("a", 16.7, status="stopped", stopped="far enough"), runs.ended("b", 3.0)]
    stopped, other = read_run(runs.write("whole", members, rows, ends), "whole").members
    assert (stopped.status, stopped.stopped) == ("stopped", "far enough")
    assert (stopped.steps, stopped.wall_time, stopped.episodes) == (80, 2.0, 10)
    assert (other.status, other.stopped, other.steps) == ("trained", None, 160)
    stopped, other = read_run(runs.write("killed", members, rows), "killed").members
    assert (stopped.status, stopped.stopped, other.status) == ("stopped", None, "unfinished")
    rows += runs.episodes("a", [0.0] * 4 + [7.0])[-2:]  # it was made to go on
    stopped, _ = read_run(runs.write("again", members, rows), "again").members
    assert (stopped.status, stopped.steps) == ("unfinished", 200)
