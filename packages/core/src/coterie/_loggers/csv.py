"""Metrics as CSV, in long form: one row per scalar."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import astuple, fields

from .._errors import ConfigError
from .._runs.records import MetricRow, RunInfo
from .append_file import AppendFile
from .interface import Logger

FILE_NAME = "metrics.csv"
_COLUMNS = [field.name for field in fields(MetricRow)]
_ROUNDED = _COLUMNS.index("wall_time")


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
        self._file = AppendFile(run.directory / FILE_NAME)
        self._head()

    def resume(self, position: Mapping[str, Any]) -> None:
        """Remove the rows that were written after the position."""
        self._file.cut(position)
        self._head()

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Append rows, and hand them to the operating system at once.

        Raises:
            OSError: They could not be written; none of them was.
        """
        self._file.append(
            _text(
                [round(part, 4) if key == _ROUNDED else part for key, part in enumerate(parts)]
                for parts in map(astuple, rows)
            )
        )

    def position(self) -> dict[str, Any]:
        """Bring everything to the disk; say where the file ends."""
        return self._file.position()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _head(self) -> None:
        if self._file.size == 0:
            self._file.append(_text([_COLUMNS]))


def _text(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
