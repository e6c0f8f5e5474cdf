"""The loggers of a run, called in a way that none of them can stop it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from attrs import define

from .._runs.records import MetricRow, Summary
from .interface import Logger

_log = logging.getLogger("coterie")
_STRIKES = 3
_REST = 60.0
_LONGEST_REST = 3600.0


@define
class _Entry:
    """A logger, and how it is doing.

    Attributes:
        name: Name of the logger.
        logger: The logger itself.
        strikes: Times in a row that it raised.
        rest: Seconds that it was left alone for the last time; 0: never.
        resting_until: When it is tried again, by the monotonic clock.
        missed: Rows that it did not take since it last took some.
    """

    name: str
    logger: Logger
    strikes: int = 0
    rest: float = 0.0
    resting_until: float = 0.0
    missed: int = 0


class Loggers:
    """Calls loggers one by one.

    One that raises gives a warning that names it. After three times in a row it is left alone for
    a minute, then for two, and so on up to an hour, until it takes rows again: a full disk may be
    emptied, a service may come back.

    Args:
        loggers: Name and logger of each.

    Attributes:
        ended_at: Where each stood when the run had ended, for a run that goes on from there.
    """

    def __init__(self, loggers: Sequence[tuple[str, Logger]] = ()) -> None:
        self._entries = [_Entry(name, logger) for name, logger in loggers]
        self.ended_at: dict[str, dict[str, Any]] = {}
        self._closed = False

    def __iter__(self) -> Iterator[Logger]:
        return iter(entry.logger for entry in self._entries)

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Hand rows to each logger that is not left alone."""
        for entry in self._entries:
            resting = entry.strikes >= _STRIKES and time.monotonic() < entry.resting_until
            if not resting and self._call(entry, "write", partial(entry.logger.write, rows)):
                _recover(entry)
            else:
                entry.missed += len(rows)

    def position(self) -> dict[str, dict[str, Any]]:
        """Where each logger stands, by its name; one that can't tell is left out."""
        found: dict[str, dict[str, Any]] = {}
        for entry in self._entries:
            self._call(entry, "position", partial(_ask, entry, found))
        return found

    def finish(self, summary: Summary) -> None:
        """Hand the results to each logger, and close it."""
        self.ended_at = self.position()
        for entry in self._entries:
            self._call(entry, "finish", partial(entry.logger.finish, summary))
        self.close()

    def close(self) -> None:
        """Close each logger, once."""
        if self._closed:
            return
        self._closed = True
        for entry in self._entries:
            self._call(entry, "close", entry.logger.close)
            if entry.missed:
                _log.warning("logger %s: %d metrics are missing", entry.name, entry.missed)
                entry.missed = 0

    def _call(self, entry: _Entry, what: str, call: Callable[[], None]) -> bool:
        try:
            call()
        except (Exception, SystemExit) as error:
            entry.strikes += 1
            _log.warning(
                "logger %s: %s raised %s: %s%s",
                entry.name,
                what,
                type(error).__name__,
                error,
                _left_alone(entry) if what == "write" else "",
                exc_info=error if entry.strikes == _STRIKES else None,
            )
            return False
        return True


def _left_alone(entry: _Entry) -> str:
    if entry.strikes < _STRIKES:
        return ""
    entry.rest = min(_LONGEST_REST, 2 * entry.rest or _REST)
    entry.resting_until = time.monotonic() + entry.rest
    return f" ({entry.strikes} times in a row; it is left alone for {entry.rest:.0f} s)"


def _recover(entry: _Entry) -> None:
    if entry.missed:
        _log.warning("logger %s is back; %d metrics are missing", entry.name, entry.missed)
    entry.strikes, entry.rest, entry.missed = 0, 0.0, 0


def _ask(entry: _Entry, found: dict[str, dict[str, Any]]) -> None:
    found[entry.name] = dict(entry.logger.position())
