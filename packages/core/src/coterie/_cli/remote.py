"""Runs that a command is given by their URL: they are brought to this machine first."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from .._checkpoints.folders import CHECKPOINTS, is_checkpoint_name
from .._checkpoints.urls import is_url, last_part, shown
from .._errors import ConfigError
from .._trainers.checkpointing import AGENTS, BEST
from .folders import RUNS

_BROUGHT: set[Path] = set()
_FORBIDDEN = re.compile(r"[^A-Za-z0-9 ._=+,@-]+")


def run_name(url: str) -> str:
    """Name a run on this machine after its URL: by its last part, in letters of files."""
    return _FORBIDDEN.sub("-", last_part(split_url(url)[0])).strip(" .-") or "run"


def split_url(url: str) -> tuple[str, str]:
    """Part the URL of something in a run.

    Args:
        url: URL of a run, ``RUN/checkpoints``, ``RUN/checkpoints/STEP``, ``RUN/best``, or of a
            file in these or in ``RUN/agents``.

    Returns:
        URL of the run, and the rest, which is empty for a run itself.
    """
    parts = url.rstrip("/").split("/")
    for index in range(len(parts) - 1, 2, -1):
        inner = parts[index + 1 : index + 2]
        is_step = parts[index] == CHECKPOINTS and (not inner or is_checkpoint_name(inner[0]))
        if is_step or parts[index] in (AGENTS, BEST):
            return "/".join(parts[:index]), "/".join(parts[index:])
    return "/".join(parts), ""


def brought(path: str, whole: bool = True) -> Path:
    """Return where something is on this machine; what a URL names is downloaded first.

    Args:
        path: A path, or the URL of a run, or of something in it.
        whole: Whether ``RUN/checkpoints/STEP`` may be meant; otherwise only runs.

    Returns:
        The path; where it was a URL, in a temporary folder, which goes away with this process.

    Raises:
        CheckpointError: It can't be read.
        ConfigError: There is no such protocol, or it is a folder of checkpoints.
        PluginError: What the URL needs is not installed.
    """
    if not is_url(path):
        return Path(path)
    from .._checkpoints.fetching import fetch_run

    run, rest = split_url(path) if whole else (path, "")
    if rest == CHECKPOINTS:
        raise ConfigError(f"{shown(path)} holds checkpoints; give one of them, or the run")
    step = rest.split("/")[1:2] if rest.startswith(f"{CHECKPOINTS}/") else []
    folder = Path(tempfile.mkdtemp(prefix="coterie-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    local = folder / run_name(run)
    fetch_run(run, local, checkpoint="".join(step))
    _BROUGHT.add(local)
    return local / rest if rest else local


def is_brought(run: Path) -> bool:
    """Whether a run is only a copy, which goes away with this process."""
    return run in _BROUGHT


def new_run(url: str, wanted: str | None) -> Path:
    """Bring a run to a folder here, to go on in it.

    Args:
        url: URL of a run, of its checkpoints or of one of these.
        wanted: The folder, new or empty; ``None``: one below ``runs``, named like the run.

    Returns:
        The run, or its checkpoint where the URL is of one.

    Raises:
        CheckpointError: It can't be read, or not be written here.
        ConfigError: The folder holds something, or there is no such protocol.
        PluginError: What the URL needs is not installed.
    """
    from .._checkpoints.fetching import fetch_run

    run, rest = split_url(url)
    local = RUNS / run_name(run) if wanted is None else Path(wanted)
    if (local / "run.json").exists():
        raise ConfigError(
            f"{local} holds a run already; to go on there: coterie resume {local}; to bring "
            f"{run} here, give another folder: --run-dir DIR"
        )
    step = rest.partition("/")[2] or None
    fetch_run(run, local, checkpoint=step)
    return local if step is None else local / rest
