"""Reading ``metrics.csv``, of any length, also while it is written."""

from __future__ import annotations

import csv
import math
from collections import deque
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, TextIO

from attrs import define, field, fields

from .._errors import ConfigError
from .records import MetricRow
from .series import Series

RETURN = "episode/return"
COUNT = "episode/count"
_FAILED = "failed"
_STOPPED = "stopped"
_COLUMNS = tuple(column.name for column in fields(MetricRow))
_LONGEST_LINE = 1_000_000
_MOST_NAMES = 1000
_LAST_EPISODES = 100
_LAST_POINTS = 20


@define
class MemberMetrics:
    """What the metrics tell of one member.

    Attributes:
        series: The scalar that was asked for, with weights: of an ``episode/`` scalar the number
            of episodes that each value is the mean of, of any other 1.
        timestep: Timesteps done, at the last metrics of the run or, if it failed or was stopped,
            its own.
        steps: Environment steps of the member, then.
        wall_time: Seconds since the start of the run, then.
        episodes: Number of episodes that ended.
        failed_at: Timestep of the first metrics that tell of a failure, if any do. What is in
            them and later is no work of the member, and left out of all else.
        stopped_at: Timestep of the first metrics that tell that it was stopped, if any do.
        last: The last values and their weights: over 100 episodes, or 20 values.
    """

    series: Series = field(factory=Series)
    timestep: int = 0
    steps: float = 0.0
    wall_time: float = 0.0
    episodes: int = 0
    failed_at: int | None = None
    stopped_at: int | None = None
    last: deque[tuple[float, float]] = field(factory=deque)

    @property
    def result(self) -> float | None:
        """Mean of the last 100 episodes, or of the last 20 values; ``None``: there are none."""
        weight = sum(weight for _, weight in self.last)
        return sum(value * weight for value, weight in self.last) / weight if weight else None


@define
class Metrics:
    """What ``metrics.csv`` tells.

    Attributes:
        members: By name, in the order in which they first appear.
        seconds: Seconds that each part of the timesteps took: ``"environment"``, ``"members"``,
            ``"other"``; a part with ``/`` in its name is contained in another.
        names: Names of scalars of members, 1000 at most.
        timestep: Timesteps done, at the last metrics.
        wall_time: Seconds since the start of the run, then.
        unreadable: Number of rows that could not be read.
        not_finite: Number of values of the scalar that were left out: NaN or infinite.
    """

    members: dict[str, MemberMetrics] = field(factory=dict)
    seconds: dict[str, float] = field(factory=dict)
    names: set[str] = field(factory=set)
    timestep: int = 0
    wall_time: float = 0.0
    unreadable: int = 0
    not_finite: int = 0


def read_metrics(path: Path, metric: str = RETURN) -> Metrics:
    """Read one scalar of all members, row by row.

    A last line that is not complete, because somebody writes it just now or was killed while
    writing it, is left out.

    Args:
        path: A ``metrics.csv`` in long form.
        metric: Name of the scalar.

    Raises:
        ConfigError: There is no such file, or it holds something else.
    """
    reader = _Reader(metric)
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = csv.reader(_lines(file, path))
            header = next(rows, list(_COLUMNS))
            if not set(_COLUMNS) <= set(header):
                raise ConfigError(
                    f"{path} holds no metrics of a run: its columns are {', '.join(header[:8])}"
                )
            pick = itemgetter(*map(header.index, _COLUMNS))
            while (row := _next(rows)) != ():
                reader.take(row, pick)
    except FileNotFoundError:
        raise ConfigError(f"there are no metrics {path}") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from None
    return reader.end()


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """Give the lines that are complete."""
    while (line := file.readline(_LONGEST_LINE)).endswith("\n"):
        yield line
    if len(line) == _LONGEST_LINE:
        raise ConfigError(f"{path} holds no metrics of a run: a line is very long")


def _next(rows: Iterator[list[str]]) -> list[str] | tuple[()] | None:
    """Return the next row; ``None`` where it can't be read, ``()`` at the end."""
    try:
        return next(rows, ())
    except csv.Error:
        return None


class _Write:
    """The rows of a member that were written at one time, as texts."""

    __slots__ = ("count", "failed", "steps", "stopped", "timestep", "value", "wall_time")

    def __init__(self, timestep: str, steps: str, wall_time: str) -> None:
        self.timestep, self.steps, self.wall_time = timestep, steps, wall_time
        self.value: str | None = None
        self.count: str | None = None
        self.failed = self.stopped = False


class _Reader:
    """Takes rows, and keeps what one scalar and the times come to."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._of_episodes = metric.startswith("episode/")
        self._window = _LAST_EPISODES if self._of_episodes else _LAST_POINTS
        self._found = Metrics()
        self._writes: dict[str, _Write] = {}
        self._timed, self._span = "", 0.0

    def take(self, row: list[str] | tuple[()] | None, pick: Callable[[Any], Any]) -> None:
        """Take one row.

        Args:
            row: Its texts; ``None``: it could not be read.
            pick: Takes the columns of a :class:`MetricRow` from it, in their order.
        """
        try:
            timestep, steps, wall_time, member, name, value = pick(row)
        except (IndexError, TypeError):
            self._found.unreadable += 1
            return
        if not member:
            self._take_time(timestep, wall_time, name, value)
            return
        write = self._writes.get(member)
        if write is None or write.timestep != timestep:
            if write is not None:
                self._close(member, write)
            write = self._writes[member] = _Write(timestep, steps, wall_time)
        if name == self._metric:
            write.value = value
        if name == COUNT:
            write.count = value
        elif name == _FAILED:
            write.failed = True
        elif name == _STOPPED:
            write.stopped = True
        if len(self._found.names) < _MOST_NAMES:
            self._found.names.add(name)

    def end(self) -> Metrics:
        """Return what was found."""
        for member, write in self._writes.items():
            self._close(member, write)
        found = self._found
        for own in found.members.values():
            if own.failed_at is None and own.stopped_at is None and own.timestep > 0:
                own.steps *= found.timestep / own.timestep
                own.timestep, own.wall_time = found.timestep, found.wall_time
        return found

    def _take_time(self, timestep: str, wall_time: str, name: str, value: str) -> None:
        """Add microseconds per timestep up, over the timesteps since the times before."""
        if not name.startswith("time/"):
            return
        try:
            if timestep != self._timed:
                self._span = float(timestep) - float(self._timed or 0)
                self._timed = timestep
                self._reach(int(timestep), float(wall_time))
            seconds = float(value) * 1e-6 * self._span
        except (ValueError, OverflowError):
            self._found.unreadable += 1
            return
        if math.isfinite(seconds) and self._span > 0:
            part = name.removeprefix("time/")
            self._found.seconds[part] = self._found.seconds.get(part, 0.0) + seconds

    def _close(self, name: str, write: _Write) -> None:
        member = self._found.members.setdefault(name, MemberMetrics())
        try:
            timestep = int(write.timestep)
            steps, wall_time = float(write.steps), float(write.wall_time)
            count = member.episodes if write.count is None else int(float(write.count))
            value = None if write.value is None else float(write.value)
        except (ValueError, OverflowError):
            self._found.unreadable += 1
            return
        if not 0 <= steps < math.inf or not 0 <= wall_time < math.inf:
            self._found.unreadable += 1
            return
        self._reach(timestep, wall_time)
        if write.failed:
            member.failed_at = timestep if member.failed_at is None else member.failed_at
        elif write.stopped and value is None:
            member.stopped_at = timestep if member.stopped_at is None else member.stopped_at
        else:
            member.failed_at = None  # it takes part again
            member.stopped_at = timestep if write.stopped else None
            member.timestep, member.steps, member.wall_time = timestep, steps, wall_time
            self._add(member, value, count)

    def _reach(self, timestep: int, wall_time: float) -> None:
        if timestep >= self._found.timestep and math.isfinite(wall_time):
            self._found.timestep, self._found.wall_time = timestep, wall_time

    def _add(self, member: MemberMetrics, value: float | None, count: int) -> None:
        new = count - member.episodes if count > member.episodes else count
        member.episodes = count
        if value is None:
            return
        if not math.isfinite(value):
            self._found.not_finite += 1
            return
        weight = float(max(1, new)) if self._of_episodes else 1.0
        member.series.add(member.steps, member.wall_time, value, weight)
        member.last.append((value, weight))
        while sum(w for _, w in member.last) - member.last[0][1] >= self._window:
            member.last.popleft()
