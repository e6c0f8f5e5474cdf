"""Metrics in TensorBoard: a folder per member, so that one chart compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

from .._errors import ConfigError, PluginError
from .._runs.records import MemberInfo, MetricRow, RunInfo, Summary
from .cfg import TensorBoardCfg
from .interface import Logger
from .labels import flat

_WHOLE = ""
_COMPARED = "episode/return"


class TensorBoardLogger(Logger):
    """Writes event files under ``tensorboard/MEMBER`` in the run's directory.

    Every member is a run of TensorBoard and its scalars have the same names, so that each chart
    compares the members; their settings, seeds and returns are on the page "HParams". Scalars of
    the whole run go to ``tensorboard`` itself.

    Args:
        run: The run that is logged; it must have a directory.
        cfg: :class:`TensorBoardCfg`, a mapping of its fields, or ``None``.

    Raises:
        ConfigError: The run has no directory.
    """

    config_class = TensorBoardCfg
    needs_directory: ClassVar[bool] = True

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        super().__init__(run, cfg)
        if run.directory is None:
            raise ConfigError(
                "the tensorboard logger writes into the run's directory; give a run_dir"
            )
        self._folder = run.directory / self.cfg.folder
        self._last: dict[str, int] = {}
        self._goes_on = False
        self._writers: dict[str, Any] = {}

    def resume(self, position: Mapping[str, Any]) -> None:
        """Let TensorBoard leave out what was written after the position."""
        last = position.get("last")
        if isinstance(last, Mapping):
            self._last = {name: step for name, step in last.items() if type(step) is int}
            self._goes_on = True

    def start(self) -> None:
        """Open an event file for the whole, and one for each member.

        Raises:
            PluginError: tensorboard can't be imported.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise PluginError(
                f"the tensorboard logger can't be used: {error}; "
                'pip install "coterie-core[tensorboard]"'
            ) from error
        for name in (_WHOLE, *(member.name for member in self.run.members)):
            first_new = self._last.get(name, -1) + 1
            self._writers[name] = SummaryWriter(
                str(self._folder / name), purge_step=first_new if self._goes_on else None
            )
        if not self._goes_on:
            for member in self.run.members:
                self._writers[member.name].file_writer.add_summary(_settings(member)[0])

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Add each row to its member's event file."""
        for row in rows:
            at = row.timestep if self.cfg.against == "timestep" else row.env_steps
            self._writers[row.member].add_scalar(row.name, row.value, at)
            self._last[row.member] = at

    def position(self) -> dict[str, Any]:
        """Flush the event files; the last step in each."""
        for writer in self._writers.values():
            writer.flush()
        return {"last": dict(self._last)}

    def finish(self, summary: Summary) -> None:
        """Note that the members have ended."""
        for member in self.run.members:
            self._writers[member.name].file_writer.add_summary(_settings(member)[1])

    def close(self) -> None:
        """Flush and close the event files."""
        while self._writers:
            self._writers.popitem()[1].close()


def _settings(member: MemberInfo) -> tuple[Any, Any]:
    """What TensorBoard's page "HParams" reads: a member's settings, and that it has ended."""
    hparams: Any = import_module("torch.utils.tensorboard.summary").hparams
    values = flat({"agent": member.kind, "seed": member.seed, **member.settings})
    plain = {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in values.items()
    }
    _, begin, end = hparams(plain, {_COMPARED: 0.0})
    return begin, end
