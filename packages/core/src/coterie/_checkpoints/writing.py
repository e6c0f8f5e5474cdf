"""How a checkpoint is written: members first, the manifest last, then its name."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from .._errors import CheckpointWriteError
from .._state import write_state
from .._types import State
from .disk import new_folder, remove_leftovers, sync, write_file
from .manifest import (
    MANIFEST,
    MEMBERS,
    RUN_FILE,
    FileRecord,
    Manifest,
    file_record,
    manifest_text,
)


def write_checkpoint(
    path: Path,
    write_members: Callable[[Path], Mapping[int, State | None]],
    state_of: Callable[[Mapping[int, State | None]], State],
    manifest_of: Callable[[Mapping[str, FileRecord]], Manifest],
) -> None:
    """Write a checkpoint; it is there when all of it is on the disk.

    Args:
        path: Its folder, which must not exist.
        write_members: Writes the members' agents into a folder, as ``NAME.safetensors``, and
            returns the state of their random streams by index.
        state_of: Makes the state of everything else from those streams.
        manifest_of: Makes the manifest from the files that were written.

    Raises:
        CheckpointWriteError: It could not be written; nothing of it is left.
    """
    try:
        with new_folder(path) as folder:
            try:
                _fill(folder, write_members, state_of, manifest_of)
            except OSError as error:
                raise _failure(path, folder, error) from error
    except CheckpointWriteError:
        raise
    except OSError as error:
        raise _failure(path, path.parent, error) from error


def _fill(
    folder: Path,
    write_members: Callable[[Path], Mapping[int, State | None]],
    state_of: Callable[[Mapping[int, State | None]], State],
    manifest_of: Callable[[Mapping[str, FileRecord]], Manifest],
) -> None:
    members = folder / MEMBERS
    members.mkdir(mode=stat.S_IRWXU)
    streams = write_members(members)
    remove_leftovers(members)  # of a member that was killed while it wrote
    try:
        write_state(folder / RUN_FILE, state_of(streams), {})
    except TypeError as error:  # the environment's state, or a logger's
        raise CheckpointWriteError(f"could not write the checkpoint: {error}") from error
    names = [RUN_FILE, *(f"{MEMBERS}/{file.name}" for file in sorted(members.iterdir()))]
    files = {name: file_record(folder / name) for name in names}
    write_file(folder / MANIFEST, manifest_text(manifest_of(files)))
    sync(members)


def _failure(path: Path, folder: Path, error: OSError) -> CheckpointWriteError:
    """Say what could not be written, and how much room there is."""
    reason = error.strerror or str(error)
    try:
        written = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        free = shutil.disk_usage(folder).free
        room = f" ({written:,} bytes were written, {free:,} are free)"
    except OSError:
        room = ""
    failure = CheckpointWriteError(f"could not write the checkpoint {path}: {reason}{room}")
    failure.errno = error.errno
    return failure
