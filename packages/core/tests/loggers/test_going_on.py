"""Files of metrics after a kill, a full disk, or from a checkpoint on."""

import csv
import errno
import json

import pytest

from coterie import MetricRow
from coterie._loggers.build import check_loggers, make_loggers
from coterie._loggers.csv import CsvLogger
from coterie._loggers.jsonl import JsonlLogger

BOTH = pytest.mark.parametrize("kind", [CsvLogger, JsonlLogger])


def row(timestep, name="x"):
    return MetricRow(
        timestep=timestep,
        env_steps=timestep,
        wall_time=0.5 * timestep,
        member="a",
        name=name,
        value=1 / 3,
    )


def path_of(run, kind):
    return run.directory / ("metrics.csv" if kind is CsvLogger else "metrics.jsonl")


def timesteps(run, kind):
    with path_of(run, kind).open(newline="") as file:
        found = csv.DictReader(file) if kind is CsvLogger else map(json.loads, file)
        return [int(each["timestep"]) for each in found]


def logged(run, kind, *steps, position=None):
    logger = kind(run)
    if position is not None:
        logger.resume(position)
    logger.start()
    for step in steps:
        logger.write([row(step)])
    found = logger.position()
    logger.close()
    return json.loads(json.dumps(found))


@BOTH
def test_rows_behind_a_checkpoint_are_forgotten(run, kind):
    position = logged(run, kind, 1, 2)
    whole = path_of(run, kind).read_bytes()
    logged(run, kind, 3, 4)
    logged(run, kind, 3, position=position)
    assert timesteps(run, kind) == [1, 2, 3]
    assert path_of(run, kind).read_bytes().startswith(whole)


@BOTH
def test_a_checkpoint_before_the_first_row(run, kind):
    position = logged(run, kind)
    logged(run, kind, 1)
    logged(run, kind, 7, position=position)
    assert timesteps(run, kind) == [7]


@BOTH
def test_a_line_cut_short_by_a_kill_is_removed(run, kind):
    logged(run, kind, 1, 2)
    path = path_of(run, kind)
    path.write_bytes(path.read_bytes()[:-5])
    logged(run, kind, 3)
    assert timesteps(run, kind) == [1, 3]


@BOTH
def test_a_very_long_line_cut_short(run, kind):
    logged(run, kind, 1)
    with path_of(run, kind).open("a") as file:
        file.write("9" * 200_000)
    logged(run, kind, 3)
    assert timesteps(run, kind) == [1, 3]


@BOTH
@pytest.mark.parametrize("value", [-1, 10**9, True, 3.0, "4", None, [1]])
def test_a_position_that_makes_no_sense_removes_nothing(run, kind, value):
    logged(run, kind, 1, 2)
    logged(run, kind, 3, position={"bytes": value})
    logged(run, kind, 4, position={})
    assert timesteps(run, kind) == [1, 2, 3, 4]


@BOTH
def test_a_position_within_a_line_removes_the_line(run, kind):
    position = logged(run, kind, 1, 2)
    logged(run, kind, 3, position={"bytes": position["bytes"] - 3})
    assert timesteps(run, kind) == [1, 3]


@BOTH
@pytest.mark.parametrize("content", ["", "timest", "\n"])
def test_a_file_that_somebody_emptied(run, kind, content):
    position = logged(run, kind, 1, 2)
    path_of(run, kind).write_text(content)
    logged(run, kind, 3, position=position)
    text = path_of(run, kind).read_text().splitlines()
    assert text[-1].startswith(("3,", '{"timestep": 3'))


class FullDisk:
    """A file on a disk that is full after some more bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        number = self.file.write(data[: self.room])
        self.room -= number
        return number

    def __getattr__(self, name):
        return getattr(self.file, name)


@BOTH
def test_a_full_disk_leaves_whole_lines(run, kind, monkeypatch):
    logger = kind(run)
    logger.write([row(1)])
    before = path_of(run, kind).read_bytes()
    file = logger._file._file
    logger._file._file = FullDisk(file, 30)
    with pytest.raises(OSError, match="No space left"):
        logger.write([row(2), row(3)])
    assert path_of(run, kind).read_bytes() == before
    logger._file._file = file
    logger.write([row(4)])
    logger.close()
    assert timesteps(run, kind) == [1, 4]


def test_all_loggers_of_a_run_go_on(run):
    checked = check_loggers(["jsonl"], True)
    loggers = make_loggers(checked, run)
    loggers.write([row(1)])
    positions = json.loads(json.dumps(loggers.position()))
    assert set(positions) == {"csv", "jsonl"}
    loggers.write([row(2)])
    loggers.close()
    loggers = make_loggers(checked, run, {"csv": positions["csv"], "gone": {"x": 1}})
    loggers.write([row(2)])
    loggers.close()
    assert timesteps(run, CsvLogger) == [1, 2]
    assert timesteps(run, JsonlLogger) == [1, 2, 2]
