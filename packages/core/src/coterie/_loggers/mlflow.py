"""Metrics in MLflow: a run per member, within a run for the whole."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from .._errors import ConfigError
from .._runs.records import MetricRow, RunInfo, Summary
from .cfg import MlflowCfg
from .interface import Logger
from .labels import by_moment, flat, known_names, member_facts, run_facts, run_label

_AXIS = "env_steps"
_FILE = "mlflow.db"
_MOST_METRICS, _MOST_PARAMS, _LONGEST_PARAM = 1000, 100, 500
_STATUS = {"failed": "FAILED", "interrupted": "KILLED"}
_FORBIDDEN = re.compile(r"[^\w\-. :/]")


class MlflowLogger(Logger):
    """Logs each member as a run of MLflow, nested in one for the whole run.

    MLflow's step is the timestep, its time the start of the run plus the wall time of training;
    ``env_steps`` is a metric. Metrics are sent in batches. From a checkpoint the runs go on; what
    they have already is not sent again.

    Args:
        run: The run that is logged.
        cfg: :class:`MlflowCfg`, a mapping of its fields, or ``None``.
    """

    config_class = MlflowCfg

    def __init__(self, run: RunInfo, cfg: Any = None) -> None:
        super().__init__(run, cfg)
        self._tracking: Any = import_module("mlflow.tracking")
        self._entities: Any = import_module("mlflow.entities")
        self._known: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._begun: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._waiting: dict[str, list[Any]] = {}
        self._flushed = time.monotonic()
        self._client: Any = None

    def resume(self, position: Mapping[str, Any]) -> None:
        """Take up the runs of the position again."""
        self._known = known_names(position.get("runs"), self.run)

    def start(self) -> None:
        """Open a run of MLflow for the whole, and one for each member in it.

        Raises:
            ConfigError: MLflow refuses, or its server can't be reached.
        """
        errors = import_module("mlflow.exceptions")
        uri = self._uri()
        try:
            self._client = self._tracking.MlflowClient(tracking_uri=uri)
            self._open("", self.cfg.name or run_label(self.run), run_facts(self.run))
            for member in self.run.members:
                self._open(member.name, member.name, member_facts(self.run, member))
        except errors.MlflowException as error:
            raise ConfigError(f"MLflow at {uri} could not start a run: {error}") from error

    def write(self, rows: Sequence[MetricRow]) -> None:
        """Gather metrics; send them from time to time."""
        for own in by_moment(rows):
            key, step = own[0].member, own[0].timestep
            if step <= self._last.get(key, -1):
                continue  # it has them from before the checkpoint
            scalars = {_AXIS: float(own[0].env_steps), **{row.name: row.value for row in own}}
            at = self._begun[key] + int(1000 * own[0].wall_time)
            self._waiting.setdefault(key, []).extend(
                self._entities.Metric(_FORBIDDEN.sub("_", name), value, at, step)
                for name, value in scalars.items()
            )
            if len(self._waiting[key]) >= _MOST_METRICS:
                self._send(key)
        if time.monotonic() - self._flushed >= self.cfg.flush_seconds:
            self._flush()

    def position(self) -> dict[str, Any]:
        """Send what waits; the ids of the runs."""
        self._flush()
        return {"runs": dict(self._ids)}

    def finish(self, summary: Summary) -> None:
        """Send what waits, note the results and how each run ended."""
        self._flush()
        for member in summary.members:
            if member.failure is not None:
                self._client.set_tag(self._ids[member.name], "failure", member.failure[:500])
            self._end(member.name, _STATUS.get(member.status, "FINISHED"))
        ends = {_STATUS.get(member.status, "FINISHED") for member in summary.members}
        self._end("", ends.pop() if len(ends) == 1 else "FINISHED")

    def close(self) -> None:
        """Send what waits, and end the runs that are left."""
        try:
            self._flush()
            for key in list(self._ids):
                self._end(key, "KILLED")
        finally:
            _disconnect(self._client)

    def _uri(self) -> str:
        found = self.cfg.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if found:
            return str(found)
        if self.run.directory is None:
            raise ConfigError("the mlflow logger needs a run_dir or a tracking_uri")
        return f"sqlite:///{self.run.directory.resolve() / _FILE}"

    def _open(self, key: str, name: str, facts: dict[str, Any]) -> None:
        """Make a run of MLflow, or take up the one of the checkpoint."""
        if key in self._known:
            found = self._client.get_run(self._known[key])
            self._client.update_run(found.info.run_id, status="RUNNING")
            history = self._client.get_metric_history(found.info.run_id, _AXIS)
            self._last[key] = max((metric.step for metric in history), default=-1)
        else:
            found = self._create(key, name, facts)
        self._ids[key] = found.info.run_id
        self._begun[key] = found.info.start_time

    def _create(self, key: str, name: str, facts: dict[str, Any]) -> Any:
        tags = {**self.cfg.tags, **({"mlflow.parentRunId": self._ids[""]} if key else {})}
        made = self._client.create_run(self._experiment(), run_name=name, tags=tags)
        params = [
            self._entities.Param(_FORBIDDEN.sub("_", name), str(value)[:_LONGEST_PARAM])
            for name, value in flat(facts).items()
        ]
        for start in range(0, len(params), _MOST_PARAMS):
            batch = params[start : start + _MOST_PARAMS]
            self._client.log_batch(made.info.run_id, params=batch)
        return made

    def _experiment(self) -> str:
        name = self.cfg.experiment
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        own = None if self.run.directory is None else self.run.directory.resolve()
        local = own is not None and _FILE in self._uri()
        where = (own / "mlflow").as_uri() if own is not None and local else None
        return str(self._client.create_experiment(name, artifact_location=where))

    def _flush(self) -> None:
        for key in list(self._waiting):
            self._send(key)
        self._flushed = time.monotonic()

    def _send(self, key: str) -> None:
        metrics = self._waiting.pop(key)
        for start in range(0, len(metrics), _MOST_METRICS):
            batch = metrics[start : start + _MOST_METRICS]
            self._client.log_batch(self._ids[key], metrics=batch)

    def _end(self, key: str, status: str) -> None:
        self._client.set_terminated(self._ids.pop(key), status)


def _disconnect(client: Any) -> None:
    """Close the connections to a database, which MLflow would keep as long as the process."""
    store = getattr(getattr(client, "_tracking_client", None), "store", None)
    engine = getattr(store, "engine", None)
    if engine is not None:
        engine.dispose()
