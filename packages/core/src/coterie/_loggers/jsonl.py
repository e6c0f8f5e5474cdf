"""Metrics as JSON lines, in long form: one object per scalar."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import asdict

from .._errors import ConfigError
from .._runs.directory import finite
from .._runs.records import MetricRow, RunInfo
from .interface import Logger


class JsonlLogger(Logger):
    """Appends to ``metrics.jsonl`` in the run's directory.

    The keys are the fields of :class:`~coterie.MetricRow`.

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
            raise ConfigError("the jsonl logger writes into the run's directory; give a run_dir")
        self._file = (run.directory / "metrics.jsonl").open("a", encoding="utf-8")

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Append rows, and hand them to the operating system at once."""
        self._file.writelines(
            json.dumps(finite(asdict(row)), allow_nan=False) + "\n" for row in rows
        )
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
