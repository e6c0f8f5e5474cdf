"""Metrics as CSV, in long form: one row per scalar."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, ClassVar, TextIO

from attrs import astuple, fields

from .._errors import ConfigError
from .._runs.records import MetricRow, RunInfo
from .interface import Logger

FILE_NAME = "metrics.csv"


class CsvLogger(Logger):
    """Appends to ``metrics.csv`` in the run's directory.

    The columns are the fields of :class:`~coterie.MetricRow`.

    Args:
        run: The run that is logged; it must have a directory.
        cfg: There are no settings.

    Raises:
        ConfigError: The run has no directory.
    """

    needs_directory: ClassVar[bool] = True

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        super().__init__(run, cfg)
        if run.directory is None:
            raise ConfigError("the csv logger writes into the run's directory; give a run_dir")
        path = run.directory / FILE_NAME
        new = not path.exists()
        self._file: TextIO = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        if new:
            self._writer.writerow([field.name for field in fields(MetricRow)])

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Append rows, and hand them to the operating system at once."""
        self._writer.writerows(
            [round(part, 4) if key == 2 else part for key, part in enumerate(astuple(row))]
            for row in rows
        )
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
