"""Metrics in TensorBoard: a folder per member, so that one chart compares them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from .._errors import ConfigError, PluginError
from .._runs.records import MetricRow, RunInfo
from .cfg import TensorBoardCfg
from .interface import Logger


class TensorBoardLogger(Logger):
    """Writes event files under ``tensorboard/MEMBER`` in the run's directory.

    Scalars of the whole run go to ``tensorboard`` itself.

    Args:
        run: The run that is logged; it must have a directory.
        cfg: :class:`TensorBoardCfg`, a mapping of its fields, or ``None``.

    Raises:
        ConfigError: The run has no directory.
        PluginError: tensorboard is not installed.
    """

    config_class = TensorBoardCfg
    needs_directory: ClassVar[bool] = True

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        super().__init__(run, cfg)
        if run.directory is None:
            raise ConfigError(
                "the tensorboard logger writes into the run's directory; give a run_dir"
            )
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise PluginError(
                'the tensorboard logger needs tensorboard: pip install "coterie-core[tensorboard]"'
            ) from error
        folder = run.directory / self.cfg.folder
        names = ["", *(member.name for member in run.members)]
        self._writers = {name: SummaryWriter(str(folder / name)) for name in names}

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Add each row to its member's event file."""
        for row in rows:
            at = row.timestep if self.cfg.against == "timestep" else row.env_steps
            self._writers[row.member].add_scalar(row.name, row.value, at)

    def close(self) -> None:
        """Flush and close the event files."""
        for writer in self._writers.values():
            writer.close()
