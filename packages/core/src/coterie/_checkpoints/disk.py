"""Folders that appear on disk whole or not at all, and the lock of a run."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .._errors import CheckpointWriteError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

UNFINISHED, DOOMED = ".tmp-", ".del-"
_HALF_MADE = re.compile(r"\..+\.(safetensors\.\w+|json\.new)")
_UNSUPPORTED = {errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}


def sync(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and wait until their names are on the disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync(folder.parent)


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Fill a folder under another name; it gets its own when all in it is on the disk.

    Files in it must have been synchronised by whoever wrote them. A crash at any point leaves
    the folder whole, or not there.

    Args:
        final: The folder; there must be none yet.

    Yields:
        The folder to fill. It goes away again where the block raises.

    Raises:
        OSError: It could not be made.
    """
    make_folder(final.parent)
    made = final.parent / f"{UNFINISHED}{final.name}-{uuid.uuid4().hex[:8]}"
    made.mkdir(mode=stat.S_IRWXU)
    try:
        yield made
        for folder in sorted((f for f in made.rglob("*") if f.is_dir()), reverse=True):
            sync(folder)
        sync(made)
        if final.exists():
            raise FileExistsError(errno.EEXIST, "there is something already", str(final))
        os.rename(made, final)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sync(final.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder; a crash half-way leaves nothing that looks like a whole one."""
    doomed = path.parent / f"{DOOMED}{path.name}-{uuid.uuid4().hex[:8]}"
    os.rename(path, doomed)
    sync(path.parent)
    shutil.rmtree(doomed, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a process left behind that was killed while it wrote or removed."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith((UNFINISHED, DOOMED)) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif _HALF_MADE.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def write_file(path: Path, text: str) -> None:
    """Write a text file, and wait until it is on the disk."""
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def replace_by_link(source: Path, target: Path) -> None:
    """Give a file one more name, in place of the file that had it; copy it where links can't be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        try:
            os.link(source, made)
        except OSError:
            shutil.copyfile(source, made)
            sync(made)
        os.replace(made, target)
    finally:
        made.unlink(missing_ok=True)


def is_locked(folder: Path) -> bool:
    """Whether somebody writes to a folder, as far as its file system can tell: else, ``True``."""
    if fcntl is None or not (folder / ".lock").exists():
        return fcntl is None
    descriptor = os.open(folder / ".lock", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class FolderLock:
    """Keeps other processes from writing to a folder at the same time.

    The lock goes with the process, however that ends. File systems without locks are not kept
    from anything.

    Args:
        folder: The folder; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; having it already is fine.

        Raises:
            CheckpointWriteError: Somebody else has it.
        """
        if self._descriptor is not None or fcntl is None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in _UNSUPPORTED:
                return
            raise CheckpointWriteError(
                f"somebody else is writing to the run {self._path.parent}, in this process or "
                "another; wait until that has ended, or give another run_dir"
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; not having it is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)
