"""Metrics as JSON lines, in long form: one object per scalar."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from attrs import asdict

from .._runs.directory import finite
from .._runs.records import MetricRow
from .file import FileLogger


class JsonlLogger(FileLogger):
    """Appends to ``metrics.jsonl`` in the run's directory.

    The keys are the fields of :class:`~coterie.MetricRow`.

    Args:
        run: The run that is logged; it must have a directory.
        cfg: There are no settings.

    Raises:
        ConfigError: The run has no directory.
    """

    file_name: ClassVar[str] = "metrics.jsonl"

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Append rows, and hand them to the operating system at once.

        Raises:
            OSError: They could not be written; none of them was.
        """
        lines = (json.dumps(finite(asdict(row)), allow_nan=False) + "\n" for row in rows)
        self._file.append("".join(lines))
