"""The checkpoints of a run: their names, the newest that is whole, which are kept."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .._errors import CheckpointError, CheckpointNotFound
from .._nearest import did_you_mean
from .disk import remove_folder
from .manifest import MANIFEST
from .reading import Checkpoint, open_checkpoint
from .urls import is_url

CHECKPOINTS = "checkpoints"
_NAME = re.compile(r"step-(\d{12})(?:-(\d+))?")


def new_name(folder: Path, timestep: int) -> Path:
    """Name the next checkpoint of a timestep, of which there may be some already."""
    stem = f"step-{timestep:012d}"
    orders = [order_of(path.name) for path in committed(folder)]
    number = 1 + max((number for step, number in orders if step == timestep), default=0)
    return folder / (stem if number == 1 else f"{stem}-{number}")


def committed(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, the oldest first."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if is_checkpoint_name(path.name))
    return sorted(found, key=lambda path: order_of(path.name))


def is_checkpoint_name(name: str) -> bool:
    """Whether a checkpoint of a run may be called so."""
    return _NAME.fullmatch(name) is not None


def order_of(name: str) -> tuple[int, int]:
    """Tell from the name of a checkpoint its timestep, and which of that timestep it is."""
    match = _NAME.fullmatch(name)
    assert match is not None
    return int(match[1]), int(match[2] or 1)


def timestep_of(path: Path) -> int:
    """Tell from its name which timestep a checkpoint of a run is of."""
    return order_of(path.name)[0]


def prune(folder: Path, keep: int) -> None:
    """Remove all checkpoints but the newest."""
    for path in committed(folder)[:-keep]:
        with suppress(OSError):  # the next time will do
            remove_folder(path)


def remove_later(path: Path) -> None:
    """Remove the checkpoints that came after one of them."""
    for other in committed(path.parent):
        if order_of(other.name) > order_of(path.name):
            with suppress(OSError):
                remove_folder(other)


def newest(folder: Path) -> Checkpoint | None:
    """Open the newest checkpoint in a folder that is whole; warn of those that are not.

    Args:
        folder: The folder ``checkpoints`` of a run.

    Returns:
        The checkpoint; ``None``: there is none at all.

    Raises:
        CheckpointError: There are some, but none of them can be read; the newest one's error.
    """
    first: CheckpointError | None = None
    for path in reversed(committed(folder)):
        try:
            found = open_checkpoint(path)
        except CheckpointError as error:
            first = first or error
            warnings.warn(f"passing over a checkpoint: {error}", RuntimeWarning, stacklevel=2)
        else:
            return found
    if first is not None:
        raise first
    return None


def find_checkpoint(where: str | Path) -> Checkpoint:
    """Open a checkpoint, or the newest one of a run.

    Args:
        where: Folder of a checkpoint, of a run, or of a run's checkpoints: a path, or a URL,
            from which it is downloaded to a temporary folder.

    Raises:
        CheckpointNotFound: There is none.
        CheckpointError: It can't be read.
        ConfigError: The URL has an unknown protocol.
        PluginError: What the URL needs is not installed.
    """
    if is_url(where):
        from .fetching import fetch_checkpoint

        return fetch_checkpoint(where)
    path = Path(where)
    if path.is_file():
        raise CheckpointNotFound(f"{path} is a file; give the folder of a checkpoint or of a run")
    if not path.is_dir():
        raise CheckpointNotFound(f"there is no folder {path}{_near(path)}")
    if (path / MANIFEST).exists() or is_checkpoint_name(path.name):
        return open_checkpoint(path)
    inner = path if path.name == CHECKPOINTS else path / CHECKPOINTS
    found = newest(inner)
    if found is None:
        raise CheckpointNotFound(f"there is no checkpoint in {inner}")
    return found


def _near(path: Path) -> str:
    beside: Iterable[Path] = path.parent.iterdir() if path.parent.is_dir() else ()
    return did_you_mean(path.name, [other.name for other in beside])
