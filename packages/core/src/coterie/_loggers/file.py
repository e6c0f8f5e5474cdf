"""Loggers that append to one file in the run's directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .._errors import ConfigError
from .._runs.records import RunInfo
from .append_file import AppendFile
from .interface import Logger


class FileLogger(Logger):
    """Opens its file with the run, and goes on from where a checkpoint says that it ended.

    Args:
        run: The run that is logged; it must have a directory.
        cfg: There are no settings.

    Raises:
        ConfigError: The run has no directory.
    """

    needs_directory: ClassVar[bool] = True

    file_name: ClassVar[str]
    """Name of the file; its ending names the logger."""

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        super().__init__(run, cfg)
        if run.directory is None:
            kind = self.file_name.rpartition(".")[2]
            raise ConfigError(f"the {kind} logger writes into the run's directory; give a run_dir")
        self._file = AppendFile(run.directory / self.file_name)

    def resume(self, position: Mapping[str, Any]) -> None:
        """Remove the rows that were written after the position."""
        self._file.cut(position)

    def position(self) -> dict[str, Any]:
        """Bring everything to the disk; say where the file ends."""
        return self._file.position()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
