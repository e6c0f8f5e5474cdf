"""The logger contract."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

from .._config.structure import structure
from .._runs.records import MetricRow, RunInfo, Summary
from .cfg import LoggerCfg


class Logger(abc.ABC):
    """A place that metrics are written to, for the length of one run.

    Args:
        run: The run that is logged.
        cfg: An instance of :attr:`config_class`, a mapping of its fields, or ``None``.
    """

    config_class: ClassVar[type[Any]] = LoggerCfg
    """attrs class of the settings."""

    needs_directory: ClassVar[bool] = False
    """Whether it writes into the run's directory, so that there must be one."""

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        self.run = run
        self.cfg = structure(self.config_class, cfg, source=f"settings of {type(self).__name__}")

    @abc.abstractmethod
    def write(self, rows: Sequence[MetricRow]) -> None:
        """Take new rows of metrics."""

    def finish(self, summary: Summary) -> None:
        """Take the results of the run; called before :meth:`close`."""

    def close(self) -> None:
        """Flush and give everything back. Calling it again does nothing."""
