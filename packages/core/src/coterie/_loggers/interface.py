"""The logger contract."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .._config.structure import structure
from .._runs.records import MetricRow, RunInfo, Summary
from .cfg import LoggerCfg


class Logger(abc.ABC):
    """A place that metrics are written to, for the length of one run.

    The calls come in this order: the constructor; :meth:`resume`, if the run goes on from a
    checkpoint; :meth:`start`; :meth:`write` and, when a checkpoint is written, :meth:`position`,
    any number of times; :meth:`finish`; :meth:`close`. What the first three raise keeps the run
    from starting. What the others raise is told in a warning and costs the run nothing: a logger
    that fails three times in a row is left alone for a minute, and longer each time after that.

    Args:
        run: The run that is logged. Of a run that goes on, the timesteps are those of the
            whole, from its very first.
        cfg: An instance of :attr:`config_class`, a mapping of its fields, or ``None``.
    """

    config_class: ClassVar[type[Any]] = LoggerCfg
    """attrs class of the settings."""

    needs_directory: ClassVar[bool] = False
    """Whether it writes into the run's directory, so that there must be one."""

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        self.run = run
        self.cfg = structure(self.config_class, cfg, source=f"settings of {type(self).__name__}")

    def resume(self, position: Mapping[str, Any]) -> None:
        """Go on from a checkpoint: forget what was written after it.

        Args:
            position: What :meth:`position` returned when the checkpoint was written. It comes
                from a file: what makes no sense is to be passed over, with a warning if
                something is lost by that.
        """

    def start(self) -> None:
        """Make ready what is needed, before the first rows.

        What a constructor makes before :meth:`resume` may have to be made again; it can be made
        here instead.
        """

    @abc.abstractmethod
    def write(self, rows: Sequence[MetricRow]) -> None:
        """Take new rows of metrics."""

    def position(self) -> dict[str, Any]:
        """Bring everything that was written to where it stays; say where the logger stands.

        Called when a checkpoint is written.

        Returns:
            Plain values that JSON knows, for :meth:`resume`.
        """
        return {}

    def finish(self, summary: Summary) -> None:
        """Take the results of the run; called before :meth:`close`."""

    def close(self) -> None:
        """Flush and give everything back. Calling it again does nothing."""
