"""Metrics in Weights & Biases: a run per member, in one group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import attrs

from .._errors import ConfigError
from .._runs.records import MetricRow, RunInfo, Summary
from .cfg import WandbCfg
from .interface import Logger
from .labels import by_moment, known_names, member_facts, run_facts, run_label
from .wandb_service import WandbService

_AXES = ("timestep", "env_steps", "wall_time")


class WandbLogger(Logger):
    """Logs each member as a run of W&B; the group is the run of Coterie.

    Scalars of the whole run go to a run of their own, which has the name of the group. W&B's own
    step is the timestep; ``timestep``, ``env_steps`` and ``wall_time`` are logged beside every
    scalar. From a checkpoint the runs go on; what they have already is not sent again.

    Args:
        run: The run that is logged. W&B's files go into its directory, if it has one.
        cfg: :class:`WandbCfg`, a mapping of its fields, or ``None``.
    """

    config_class = WandbCfg

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        super().__init__(run, cfg)
        self._wandb: Any = import_module("wandb")
        self._service = WandbService(self._wandb)
        self._group = self.cfg.group or run_label(run)
        self._ids: dict[str, str] = {}
        self._runs: dict[str, Any] = {}
        self._opened: list[Any] = []

    def resume(self, position: Mapping[str, Any]) -> None:
        """Take up the runs of the position again."""
        self._ids = known_names(position.get("runs"), self.run)
        group = position.get("group")
        if self._ids and isinstance(group, str) and group:
            self._group = group

    def start(self) -> None:
        """Open a run of W&B for the whole, and one for each member.

        Raises:
            ConfigError: W&B refuses, for example because nobody is logged in.
        """
        try:
            self._open("", self._group, "run", run_facts(self.run))
            for member in self.run.members:
                facts = member_facts(self.run, member)
                self._open(member.name, member.name, "train", facts)
        except (self._wandb.Error, ValueError) as error:
            raise ConfigError(
                f"W&B could not start a run: {error}; log in with 'wandb login', or set mode to "
                "'offline'"
            ) from error

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Log the scalars of each member at each timestep together."""
        for own in by_moment(rows):
            first = own[0]
            run = self._runs[first.member]
            if first.timestep < run.starting_step:
                continue  # it has them from before the checkpoint
            axes = {name: getattr(first, name) for name in _AXES}
            run.log({**axes, **{row.name: row.value for row in own}}, step=first.timestep)

    def position(self) -> dict[str, Any]:
        """The ids of the runs; W&B keeps what was logged in files of its own."""
        return {"group": self._group, "runs": {name: run.id for name, run in self._runs.items()}}

    def finish(self, summary: Summary) -> None:
        """Note the results in each run; those of members that failed end as failed."""
        for member in summary.members:
            run = self._runs.pop(member.name)
            results = attrs.asdict(member, filter=lambda field, _: field.name != "settings")
            run.summary.update({f"result/{name}": value for name, value in results.items()})
            run.finish(exit_code=0 if member.failure is None else 1)

    def close(self) -> None:
        """End the runs that are left, and W&B's process, unless somebody else uses it."""
        with ExitStack() as last:  # each is called, whatever another raises
            last.callback(self._service.stop, self._opened)
            while self._runs:
                last.callback(self._runs.popitem()[1].finish)

    def _open(self, key: str, name: str, kind: str, facts: dict[str, Any]) -> None:
        cfg = self.cfg
        known = self._ids.get(key)
        run = self._wandb.init(
            project=cfg.project,
            entity=cfg.entity,
            group=self._group,
            name=name,
            job_type=kind,
            tags=list(cfg.tags),
            mode=cfg.mode,
            dir=None if self.run.directory is None else str(self.run.directory),
            config=facts,
            reinit="create_new",
            **({"id": known, "resume": "allow"} if known else {}),
            settings=self._wandb.Settings(
                console="off", quiet=True, silent=bool(key), x_disable_stats=bool(key)
            ),
        )
        self._runs[key] = run
        self._opened.append(run)
        for axis in _AXES:
            run.define_metric(axis)
        run.define_metric("*", step_metric=cfg.against)
