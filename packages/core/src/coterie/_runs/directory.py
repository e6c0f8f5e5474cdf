"""A run on disk: what it is, its metrics, its trained agents, its results."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

from .._errors import ConfigError
from .records import RunInfo, Summary

FORMAT = 1
_PACKAGES = (
    "coterie-core",
    "coterie-backends-mp",
    "coterie-backends-fused",
    "coterie-envs",
    "coterie-agents",
    "torch",
    "numpy",
    "gymnasium",
)


class RunDirectory:
    """The folder of one run.

    It holds ``run.json`` (what the run is, and its status), ``experiment.json`` (when it was made
    from an experiment), ``metrics.csv``, ``agents/NAME.safetensors``, ``summary.json`` and
    ``evaluations/``. Files are replaced whole, so that a reader never meets half of one.

    Args:
        path: The folder; it is made by :meth:`start`.

    Raises:
        ConfigError: There is something in it already, or it is a file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"run_dir={str(path)!r} is a file; give a new or empty folder")
        if self.path.is_dir() and any(self.path.iterdir()):
            what = "another run" if (self.path / "run.json").exists() else "other files"
            raise ConfigError(
                f"run_dir={str(path)!r} holds {what}; nothing was overwritten, "
                "give a new or empty folder"
            )
        self._facts: dict[str, Any] = {}

    def start(self, run: RunInfo, facts: Mapping[str, Any], experiment: Any = None) -> None:
        """Make the folder and write what the run is.

        Args:
            run: The run.
            facts: More about it, as plain values.
            experiment: The experiment as plain values, if it was made from one.

        Raises:
            ConfigError: Another trainer has started a run in the folder meanwhile.
        """
        if not self._facts and (self.path / "run.json").exists():
            raise ConfigError(f"run_dir={str(self.path)!r} holds another run by now")
        (self.path / "agents").mkdir(parents=True, exist_ok=True)
        self._facts = {
            "format": FORMAT,
            "status": "running",
            "started": self._facts.get("started", _now()),
            "trainer": run.trainer,
            "timesteps": run.timesteps,
            "members": [attrs.asdict(member) for member in run.members],
            **facts,
            "versions": installed_versions(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "command": sys.argv,
        }
        write_json(self.path / "run.json", self._facts)
        if experiment is not None:
            write_json(self.path / "experiment.json", experiment)

    def agent_file(self, name: str) -> Path:
        """Where a member's trained agent is kept."""
        return self.path / "agents" / f"{name}.safetensors"

    def finish(self, status: str, summary: Summary) -> None:
        """Write the results and how the run ended."""
        write_json(self.path / "summary.json", attrs.asdict(summary))
        self.mark(status)

    def mark(self, status: str) -> None:
        """Note how the run ended: ``"finished"``, ``"interrupted"`` or ``"failed"``."""
        self._facts |= {"status": status, "ended": _now()}
        write_json(self.path / "run.json", self._facts)

    def add_evaluation(self, summary: Summary) -> Path:
        """Write the results of an evaluation beside earlier ones; return the file."""
        return write_evaluation(self.path, summary)


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


def write_json(path: Path, content: Any) -> None:
    """Replace a JSON file in one go; numbers that JSON does not know become null."""
    temporary = path.with_name(f".{path.name}.new")
    text = json.dumps(finite(content), indent=2, default=str, allow_nan=False)
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, path)


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
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
