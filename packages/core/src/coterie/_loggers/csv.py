"""Metrics as CSV, in long form: one row per scalar."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import astuple, fields

from .._runs.records import MetricRow, RunInfo
from .file import FileLogger

FILE_NAME = "metrics.csv"
_COLUMNS = [field.name for field in fields(MetricRow)]
_ROUNDED = _COLUMNS.index("wall_time")


class CsvLogger(FileLogger):
    """Appends to ``metrics.csv`` in the run's directory.

    The columns are the fields of :class:`~coterie.MetricRow`.

    Args:
        run: The run that is logged; it must have a directory.
        cfg: There are no settings.

    Raises:
        ConfigError: The run has no directory.
    """

    file_name: ClassVar[str] = FILE_NAME

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        super().__init__(run, cfg)
        self._head()

    def resume(self, position: Mapping[str, Any]) -> None:
        """Remove the rows that were written after the position."""
        super().resume(position)
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

    def _head(self) -> None:
        if self._file.size == 0:
            self._file.append(_text([_COLUMNS]))


def _text(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
