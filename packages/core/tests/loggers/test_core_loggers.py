"""The loggers that come with core."""

import csv
import itertools
import json
import sys
import time
from pathlib import Path

import pytest
from attrs import evolve

from coterie import ConfigError, MetricRow, PluginError, SequentialTrainer
from coterie._loggers.build import check_loggers, make_loggers
from coterie._loggers.csv import CsvLogger
from coterie._loggers.jsonl import JsonlLogger
from coterie.testing import CountingEnv, SumAgent, agents_for

ROWS = [
    MetricRow(timestep=3, env_steps=6, wall_time=0.123456, member="a", name="loss/pi", value=0.1),
    MetricRow(timestep=3, env_steps=3, wall_time=0.2, member="b, c", name="x", value=-1e-30),
]


def test_csv_is_long_and_flushed_at_once(run):
    logger = CsvLogger(run)
    logger.write(ROWS)
    with (run.directory / "metrics.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["timestep", "env_steps", "wall_time", "member", "name", "value"]
    assert list(found[0].values()) == ["3", "6", "0.1235", "a", "loss/pi", "0.1"]
    assert found[1]["member"] == "b, c"
    assert float(found[1]["value"]) == -1e-30
    logger.close()
    logger.close()


def test_csv_goes_on_without_another_heading(run):
    for _ in range(2):
        logger = CsvLogger(run)
        logger.write(ROWS)
        logger.close()
    lines = (run.directory / "metrics.csv").read_text().splitlines()
    assert len(lines) == 5
    assert sum(line.startswith("timestep") for line in lines) == 1


def test_jsonl_has_an_object_per_scalar(run):
    logger = JsonlLogger(run)
    logger.write(ROWS)
    lines = (run.directory / "metrics.jsonl").read_text().splitlines()
    assert [MetricRow(**json.loads(line)) for line in lines] == ROWS
    logger.close()


@pytest.mark.parametrize("name", ["csv", "jsonl", "tensorboard"])
def test_a_place_is_needed(run, name):
    with pytest.raises(ConfigError, match="give a run_dir"):
        check_loggers([name], has_directory=False)
    with pytest.raises(ConfigError, match="give a run_dir"):
        make_loggers([(name, None)], evolve(run, directory=None))


def test_csv_is_always_there_once():
    assert [name for name, _ in check_loggers([], True)] == ["csv"]
    assert [name for name, _ in check_loggers(["jsonl", "csv"], True)] == ["csv", "jsonl"]
    assert check_loggers([], False) == ()


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r"(?s)logger 'tensorboard'.*foldr.*folder"):
        check_loggers([("tensorboard", {"foldr": "x"})], True)
    with pytest.raises(ConfigError, match="against"):
        check_loggers([("tensorboard", {"against": "wall_time"})], True)


def test_when_one_can_not_be_opened_the_others_are_closed(run, monkeypatch):
    closed = []
    monkeypatch.setattr(CsvLogger, "close", lambda self: closed.append(self._file.close()))
    (run.directory / "metrics.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        make_loggers(check_loggers(["jsonl"], True), run)
    assert len(closed) == 1


@pytest.mark.parametrize(("against", "steps"), [("timestep", [3, 3]), ("env_steps", [6, 3])])
def test_tensorboard_has_a_folder_per_member(run, against, steps):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (logger,) = make_loggers(check_loggers([("tensorboard", {"against": against})], True)[1:], run)
    logger.write(ROWS)
    logger.close()
    found = []
    for row in ROWS:
        events = EventAccumulator(str(Path(run.directory) / "tensorboard" / row.member))
        events.Reload()
        assert events.Tags()["scalars"] == [row.name]
        (scalar,) = events.Scalars(row.name)
        found.append(scalar.step)
        assert scalar.value == pytest.approx(row.value)
    assert found == steps


def scalars(run, member):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.directory / "tensorboard" / member))
    events.Reload()
    return [scalar.step for scalar in events.Scalars("x")]


@pytest.mark.parametrize("against", ["timestep", "env_steps"])
def test_tensorboard_leaves_out_what_came_after_a_checkpoint(run, against, monkeypatch):
    pytest.importorskip("tensorboard")
    seconds = itertools.count(1_800_000_000)
    monkeypatch.setattr(time, "time", lambda: next(seconds))  # files are in order of seconds
    checked = check_loggers([("tensorboard", {"against": against})], True)[1:]
    per_step = {"a": 1, "b, c": 2}

    def log(loggers, member, *timesteps):
        for step in timesteps:
            at = {"timestep": step, "env_steps": step * (per_step[member])}
            loggers.write([evolve(ROWS[0], member=member, name="x", **at)])

    loggers = make_loggers(checked, run)
    log(loggers, "a", 1, 2)
    positions = json.loads(json.dumps(loggers.position()))
    log(loggers, "a", 3, 4)
    log(loggers, "b, c", 3, 4)
    loggers.close()
    loggers = make_loggers(checked, run, positions)
    log(loggers, "a", 3)
    log(loggers, "b, c", 3)
    loggers.close()
    factor = 1 if against == "timestep" else 2
    assert scalars(run, "a") == [1, 2, 3]
    assert scalars(run, "b, c") == [3 * factor]


@pytest.mark.parametrize("position", [{}, {"last": 3}, {"last": {"a": "2"}}, {"last": {"z": 1}}])
def test_tensorboard_and_a_position_that_makes_no_sense(run, position):
    pytest.importorskip("tensorboard")
    loggers = make_loggers(check_loggers(["tensorboard"], True)[1:], run, {"tensorboard": position})
    loggers.write([evolve(ROWS[0], name="x")])
    loggers.close()
    assert scalars(run, "a") == [3]


def test_tensorboard_knows_the_settings_of_the_members(run):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    members = tuple(
        evolve(member, settings={"rate": 0.1 * (k + 1), "net": {"sizes": [4, 4]}, "none": None})
        for k, member in enumerate(run.members)
    )
    loggers = make_loggers(check_loggers(["tensorboard"], True)[1:], evolve(run, members=members))
    loggers.finish(None)
    for k, name in enumerate(("a", "b, c")):
        events = EventAccumulator(str(run.directory / "tensorboard" / name))
        events.Reload()
        found = events.PluginTagToContent("hparams")
        begun = metadata.parse_session_start_info_plugin_data(
            found[metadata.SESSION_START_INFO_TAG]
        )
        assert begun.hparams["rate"].number_value == pytest.approx(0.1 * (k + 1))
        assert begun.hparams["net.sizes"].string_value == "[4, 4]"
        assert begun.hparams["seed"].number_value == k
        assert metadata.SESSION_END_INFO_TAG in found


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_what_is_not_installed_is_told_before_anything_starts(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    env = CountingEnv(2)
    with pytest.raises(PluginError, match=rf'pip install "coterie-core\[{name}\]"'):
        SequentialTrainer(
            env=env, agents=agents_for(env, SumAgent), run_dir=tmp_path / "run", loggers=[name]
        )
    assert list(tmp_path.iterdir()) == []
