"""Metrics as JSON lines, in long form: one object per scalar."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import asdict

from .._errors import ConfigError
from .._runs.directory import finite
from .._runs.records import MetricRow, RunInfo
from .append_file import AppendFile
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
        self._file = AppendFile(run.directory / "metrics.jsonl")

    def resume(self, position: Mapping[str, Any]) -> None:
        """Remove the rows that were written after the position."""
        self._file.cut(position)

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Append rows, and hand them to the operating system at once.

        Raises:
            OSError: They could not be written; none of them was.
        """
        lines = (json.dumps(finite(asdict(row)), allow_nan=False) + "\n" for row in rows)
        self._file.append("".join(lines))

    def position(self) -> dict[str, Any]:
        """Bring everything to the disk; say where the file ends."""
        return self._file.position()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
