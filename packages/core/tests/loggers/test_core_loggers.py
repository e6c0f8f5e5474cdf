"""The loggers that come with core."""

import csv
import json
from pathlib import Path

import pytest
from attrs import evolve

from coterie import ConfigError, MetricRow
from coterie._loggers.build import check_loggers, make_loggers
from coterie._loggers.csv import CsvLogger
from coterie._loggers.jsonl import JsonlLogger

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
