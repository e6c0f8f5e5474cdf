"""Reading runs: finished, failed, still running, killed, or damaged in part."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._errors import ConfigError
from .._nearest import did_you_mean
from .._runs.directory import FORMAT
from .._runs.metrics_file import RETURN, MemberMetrics, Metrics, read_metrics
from .._runs.settings import settings_text
from .plain import clean, flat, number, read_object, rows, table, whole
from .records import Failure, ReportedMember, ReportedRun

_TRACEBACK = 4000
_UNFINISHED = "running"


def read_runs(paths: Sequence[Path], metric: str) -> list[ReportedRun]:
    """Read runs; one that is given twice counts once.

    Args:
        paths: Their folders.
        metric: Name of the scalar that is reported on.

    Raises:
        ConfigError: One is no run or damaged, or no run has such a scalar.
    """
    unique = list({path.resolve(): path for path in paths}.values())
    names = run_names(unique)
    runs = [read_run(path, name, metric) for path, name in zip(unique, names, strict=True)]
    known = frozenset[str]().union(*(run.scalars for run in runs))
    if metric not in known and metric != RETURN:
        listed = ", ".join(sorted(known)) or "none"
        hint = did_you_mean(metric, known)
        raise ConfigError(f"no run has a metric {clean(metric)!r}{hint}; there are: {listed}")
    return runs


def run_names(paths: Sequence[Path]) -> list[str]:
    """Name runs by their folders, with as many folders above as tell them all apart."""
    parts = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = [clean("/".join(part[-depth:])) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def read_run(path: Path, name: str, metric: str = RETURN) -> ReportedRun:
    """Read one run.

    Args:
        path: Its folder.
        name: Its name in the report.
        metric: Name of the scalar that is reported on.

    Raises:
        ConfigError: There is no such run, or it is damaged.
    """
    about = _about(path)
    metrics, notes = _metrics(path, metric)
    status = clean(about.get("status", _UNFINISHED))
    # A run that goes on again keeps the summary of its first part, which tells too little.
    summary = {} if status == _UNFINISHED else _optional(path / "summary.json", notes)
    environment = _environment(path, about, notes)
    evaluation = _evaluation(path, notes)
    members = tuple(
        _Member(name, environment, status, metric, row).read(
            metrics.members, rows(summary.get("members")), evaluation
        )
        for row in rows(about.get("members"))
    )
    if not members:
        raise ConfigError(f"{path / 'run.json'} is damaged: it names no members")
    if status == _UNFINISHED:
        notes.append("is not finished: it still runs, or it was killed")
    return ReportedRun(
        name=name,
        path=path,
        status=status,
        environment=environment,
        facts=_facts(about),
        versions={clean(k): clean(v) for k, v in table(about.get("versions")).items()},
        members=members,
        wall_time=metrics.wall_time,
        shares=_shares(metrics, summary),
        scalars=frozenset(metrics.names),
        notes=tuple(notes),
        traceback=_traceback(path / "traceback.txt"),
    )


def _about(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError(f"there is no run {path}{did_you_mean(path.name, beside)}")
    about = read_object(path / "run.json")
    if about is None:
        raise ConfigError(
            f"{path} holds no run: it has no run.json; give folders as coterie train makes them"
        )
    version = whole(about.get("format"))
    if version is None:
        raise ConfigError(f"{path / 'run.json'} is damaged: it does not say which format it has")
    if version > FORMAT:
        raise ConfigError(f"{path} was written by a newer Coterie; report it with that one")
    return about


def _metrics(path: Path, metric: str) -> tuple[Metrics, list[str]]:
    file = path / "metrics.csv"
    if not file.exists():
        return Metrics(), ["has no metrics.csv"]
    metrics, notes = read_metrics(file, metric), []
    if metrics.unreadable:
        notes.append(f"has {metrics.unreadable} damaged rows in metrics.csv, which are left out")
    if metrics.not_finite:
        notes.append(f"has {metrics.not_finite} values of {metric} that are not finite: left out")
    return metrics, notes


def _optional(path: Path, notes: list[str]) -> dict[str, Any]:
    """Read a file that a report can do without."""
    try:
        return read_object(path) or {}
    except ConfigError as error:
        notes.append(f"has a damaged file, which is left out: {error}")
        return {}


def _environment(path: Path, about: Mapping[str, Any], notes: list[str]) -> str:
    name = clean(table(about.get("environment")).get("name", "unknown environment"))
    experiment = _optional(path / "experiment.json", notes)
    settings = flat(table(table(experiment.get("environment")).get("settings")))
    return f"{name} ({settings_text(settings)})" if settings else name


def _evaluation(path: Path, notes: list[str]) -> dict[str, Any]:
    """Read the mean returns of the newest evaluation, by names of members."""
    files = [file for file in (path / "evaluations").glob("*.json") if file.stem.isdigit()]
    if not files:
        return {}
    newest = _optional(max(files, key=lambda file: int(file.stem)), notes)
    return {str(row.get("name")): row.get("mean_return") for row in rows(newest.get("members"))}


def _shares(metrics: Metrics, summary: Mapping[str, Any]) -> dict[str, float]:
    """Part the time by the metrics, which cover all of a run that was resumed, too."""
    whole_time = sum(value for name, value in metrics.seconds.items() if "/" not in name)
    if whole_time > 0:
        return {clean(name): value / whole_time for name, value in metrics.seconds.items()}
    told = table(summary.get("time_shares")).items()
    return {clean(name): share for name, value in told if (share := number(value)) is not None}


def _facts(about: Mapping[str, Any]) -> dict[str, str]:
    environment = table(about.get("environment"))
    command = about.get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    found = {
        "status": about.get("status"),
        "started": about.get("started"),
        "ended": about.get("ended"),
        "trainer": about.get("trainer"),
        "timesteps": about.get("timesteps"),
        "instances": environment.get("num_envs"),
        "environment's seed": environment.get("seed"),
        "environment's device": environment.get("device"),
        "torch threads": about.get("torch_threads"),
        "Python": about.get("python"),
        "machine": about.get("platform"),
        "command": clean(shlex.join(words), 2000) if words else None,
    }
    return {key: clean(value, 2000) for key, value in found.items() if value is not None}


def _traceback(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[-_TRACEBACK:]
    except OSError:
        return ""
    return "\n".join(clean(line) for line in text.splitlines())


class _Member:
    """Puts together what the files of a run tell of one member."""

    def __init__(
        self, run: str, environment: str, status: str, metric: str, row: dict[str, Any]
    ) -> None:
        self._run, self._environment, self._status = run, environment, status
        self._metric, self._row = metric, row
        self._name = str(row.get("name", ""))

    def read(
        self,
        metrics: Mapping[str, MemberMetrics],
        summary: Sequence[Mapping[str, Any]],
        evaluation: Mapping[str, Any],
    ) -> ReportedMember:
        """Put it together.

        Args:
            metrics: By names of members.
            summary: Rows of the members; empty: there is no summary.
            evaluation: Mean returns by names of members.
        """
        row = self._row
        ended = next((dict(end) for end in summary if end.get("name") == self._name), {})
        own = metrics.get(self._name, MemberMetrics())
        failure = _failure(ended, own)
        instances = _instances(row.get("scope"))
        return ReportedMember(
            run=self._run,
            name=clean(self._name),
            kind=clean(row.get("kind", "unknown")),
            seed=whole(row.get("seed")),
            device=clean(row.get("device", "")),
            instances=instances,
            environment=self._environment,
            settings={**flat(table(row.get("settings"))), "instances": instances},
            status=self._end(ended, failure, own),
            episodes=own.episodes,
            steps=own.steps,
            wall_time=own.wall_time,
            result=self._result(ended, own, failure),
            evaluation=number(evaluation.get(self._name)),
            failure=failure,
            stopped=clean(reason, 2000) if (reason := ended.get("stopped")) else None,
            series=own.series,
        )

    def _end(self, ended: Mapping[str, Any], failure: Failure | None, own: MemberMetrics) -> str:
        if failure is not None:
            return "failed"
        if own.stopped_at is not None:
            return "stopped"
        told = clean(ended.get("status", self._status))
        return "unfinished" if told == _UNFINISHED else told

    def _result(
        self, ended: Mapping[str, Any], own: MemberMetrics, failure: Failure | None
    ) -> float | None:
        """Of a member that failed, the metrics alone: another acted in its place after that."""
        told = number(ended.get("mean_return")) if self._metric == RETURN else None
        return own.result if told is None or failure is not None else told


def _instances(scope: Any) -> int:
    ends = [whole(end) or 0 for end in scope] if isinstance(scope, list) else []
    return max(0, ends[1] - ends[0]) if len(ends) == 2 else 0


def _failure(ended: Mapping[str, Any], own: MemberMetrics) -> Failure | None:
    message = ended.get("failure")
    if message is None and own.failed_at is None:
        return None
    phase, timestep = ended.get("failed_in"), whole(ended.get("failed_at"))
    return Failure(
        phase=None if phase is None else clean(phase),
        timestep=own.failed_at if timestep is None else timestep,
        message=clean(message or "the metrics tell that it failed, and not of what", 2000),
    )
