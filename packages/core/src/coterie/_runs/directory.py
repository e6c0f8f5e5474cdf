"""A run on disk: what it is, its metrics, its trained agents, its results."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

from .._checkpoints.disk import DOOMED, UNFINISHED, FolderLock, make_folder, remove_leftovers
from .._config.files import read_mapping
from .._errors import CheckpointWriteError, ConfigError
from .records import RunInfo, Summary

FORMAT = 1
_PACKAGES = (
    "coterie-core",
    "coterie-backends-mp",
    "coterie-backends-fused",
    "coterie-backends-ray",
    "coterie-envs",
    "coterie-agents",
    "coterie-skrl",
    "skrl",
    "coterie-evolution",
    "torch",
    "numpy",
    "gymnasium",
    "ray",
)
_version = cache(version)
"""Every checkpoint asks; reading it takes milliseconds. What is not found is looked for again."""


class RunDirectory:
    """The folder of one run.

    It holds ``run.json`` (what the run is, and its status), ``experiment.json`` (when it was made
    from an experiment), ``metrics.csv``, ``checkpoints/``, ``agents/NAME.safetensors`` (the
    newest), ``best/NAME.safetensors``, ``summary.json`` and ``evaluations/``. Files are replaced
    whole, so that a reader never meets half of one.

    Args:
        path: The folder; it is made by :meth:`start`.
        again: Whether a run may be there already, to go on with.

    Raises:
        ConfigError: There is something else in it already, or it is a file.
    """

    def __init__(self, path: str | Path, *, again: bool = False) -> None:
        self.path = Path(path)
        self._lock = FolderLock(self.path)
        self._facts: dict[str, Any] = {}
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"run_dir={str(path)!r} is a file; give a new or empty folder")
        if not self.path.is_dir() or _holds_nothing(self.path):
            return
        a_run = (self.path / "run.json").exists()
        if not (again and a_run):
            what = "another run" if a_run else "other files"
            how = "give a new or empty folder" + (
                f", or go on with that run: resume=True, or coterie resume {path}" if a_run else ""
            )
            raise ConfigError(f"run_dir={str(path)!r} holds {what}; nothing was overwritten, {how}")
        self._facts = dict(read_mapping(self.path / "run.json"))
        self._tidy()

    @property
    def run_id(self) -> str | None:
        """What tells the run from all others; ``None``: it was not begun yet."""
        found = self._facts.get("id")
        return found if isinstance(found, str) and found else None

    def _tidy(self) -> None:
        """Remove what a process left that was killed while it wrote, unless one is at work."""
        try:
            self._lock.acquire()
        except CheckpointWriteError:
            return
        try:
            remove_leftovers(self.path)
        finally:
            self._lock.release()

    def start(
        self,
        run: RunInfo,
        facts: Mapping[str, Any],
        experiment: Any = None,
        resumed_at: int | None = None,
    ) -> None:
        """Make the folder and write what the run is; nobody else may write to it from now on.

        Args:
            run: The run.
            facts: More about it, as plain values.
            experiment: The experiment as plain values, if it was made from one.
            resumed_at: Timesteps done where the run goes on; ``None``: it begins.

        Raises:
            ConfigError: Another trainer has started a run in the folder meanwhile.
            CheckpointWriteError: Another process is writing to it.
        """
        if not self._facts and (self.path / "run.json").exists():
            raise ConfigError(f"run_dir={str(self.path)!r} holds another run by now")
        make_folder(self.path)
        self._lock.acquire()
        try:
            self._describe(run, facts, resumed_at)
            if experiment is not None:
                write_json(self.path / "experiment.json", experiment, lasting=True)
            (self.path / "agents").mkdir(exist_ok=True)
        except BaseException:
            self._lock.release()
            raise

    def _describe(self, run: RunInfo, facts: Mapping[str, Any], resumed_at: int | None) -> None:
        resumed = self._facts.get("resumed", [])
        if resumed_at is not None:
            resumed = [*resumed, {"timestep": resumed_at, "at": _now()}]
        self._facts = {
            "format": FORMAT,
            "id": self.run_id or uuid.uuid4().hex,
            "status": "running",
            "started": self._facts.get("started", _now()),
            "resumed": resumed,
            "trainer": run.trainer,
            "timesteps": run.timesteps,
            "members": [attrs.asdict(member) for member in run.members],
            **facts,
            "versions": installed_versions(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "command": sys.argv,
        }
        # A run whose description is lost could not go on, whatever checkpoints it has.
        write_json(self.path / "run.json", self._facts, lasting=True)

    def finish(self, status: str, summary: Summary) -> None:
        """Write the results and how the run ended."""
        write_json(self.path / "summary.json", attrs.asdict(summary))
        self.mark(status)

    def mark(self, status: str) -> None:
        """Note how the run ended: ``"finished"``, ``"interrupted"`` or ``"failed"``."""
        self._facts |= {"status": status, "ended": _now()}
        write_json(self.path / "run.json", self._facts, lasting=True)
        self._lock.release()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from writing to the folder for as long as the block runs."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def add_evaluation(self, summary: Summary) -> Path:
        """Write the results of an evaluation beside earlier ones; return the file."""
        return write_evaluation(self.path, summary)


def _holds_nothing(folder: Path) -> bool:
    """Whether there is nothing in a folder but what a run that was killed at once leaves."""
    return all(
        path.name in (".lock", ".run.json.new") or path.name.startswith((UNFINISHED, DOOMED))
        for path in folder.iterdir()
    )


def write_evaluation(run: Path, summary: Summary, facts: Mapping[str, Any] | None = None) -> Path:
    """Write the results of an evaluation under ``evaluations/`` of a run; return the file.

    Args:
        run: The folder of the run.
        summary: The results.
        facts: How it was evaluated, as plain values.
    """
    folder = run / "evaluations"
    folder.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(p.stem) for p in folder.glob("*.json") if p.stem.isdigit()), default=0)
    path = folder / f"{number:04d}.json"
    write_json(path, {**(facts or {}), **attrs.asdict(summary)})
    return path


def write_json(path: Path, content: Any, lasting: bool = False) -> None:
    """Replace a JSON file in one go; numbers that JSON does not know become null.

    Args:
        path: The file.
        content: Plain values.
        lasting: Whether to wait until it is on the disk itself.
    """
    temporary = path.with_name(f".{path.name}.new")
    text = json.dumps(finite(content), indent=2, default=str, allow_nan=False)
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def finite(content: Any) -> Any:
    """Put ``None`` in place of every NaN and infinity in nested dicts, lists and tuples."""
    if isinstance(content, Mapping):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def installed_versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Look up the versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = _version(package)
        except PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
