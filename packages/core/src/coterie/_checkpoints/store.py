"""A folder elsewhere: what Coterie asks of a file system of fsspec."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .._errors import CheckpointUnsafe
from .disk import replace_by_link, sync
from .urls import connect, shown

_BLOCK = 4 * 1024 * 1024
_WITHOUT_FOLDERS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}


class Store:
    """A folder elsewhere. What goes wrong with it is an ``OSError``, whatever is beneath.

    Args:
        url: Its URL, or a path.

    Attributes:
        url: The URL, for messages.

    Raises:
        ConfigError: There is no such protocol, or the URL names no folder.
        PluginError: fsspec, or what the protocol needs, is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = shown(url)
        self._system, self._root = connect(url)
        protocol = self._system.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self._local = "file" in protocols
        self._makes_folders = not protocols & _WITHOUT_FOLDERS

    def where(self, name: str) -> str:
        """Return the URL of a file, for messages."""
        return f"{self.url}/{name}" if name else self.url

    def files(self, folder: str = "") -> dict[str, int]:
        """List all files in a folder and those below, as they are at this moment.

        Args:
            folder: Its name, relative to this one.

        Returns:
            Sizes in bytes, by name relative to ``folder``; empty where there is no folder.
        """
        top = self._path(folder)
        with _plain_errors():
            self._system.invalidate_cache()
            try:
                found = self._system.find(top, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        start = top.strip("/") + "/"
        return {
            path.strip("/").removeprefix(start): int(about.get("size") or 0)
            for path, about in found.items()
            if about.get("type") == "file" and path.strip("/").startswith(start)
        }

    def beside(self) -> list[str]:
        """List the names beside this folder, for messages; empty where that can't be."""
        with suppress(OSError), _plain_errors():
            found = self._system.ls(self._root.rpartition("/")[0], detail=False)
            return [str(path).rstrip("/").rpartition("/")[2] for path in found]
        return []

    def read(self, name: str, limit: int) -> bytes:
        """Read a small file.

        Raises:
            CheckpointUnsafe: It has more than ``limit`` bytes; these were not read.
            OSError: It can't be read.
        """
        with _plain_errors(), self._system.open(self._path(name), "rb") as file:
            content: bytes = file.read(limit + 1)
        if len(content) > limit:
            raise CheckpointUnsafe(f"{self.where(name)} has more than {limit} bytes")
        return content

    def download(self, name: str, target: Path, limit: int) -> None:
        """Copy a file to a new one here, and wait until it is on the disk.

        Raises:
            CheckpointUnsafe: There was no end after ``limit`` bytes; the rest was not read.
            OSError: It can't be read, or not be written here.
        """
        left = limit
        with _plain_errors(), self._system.open(self._path(name), "rb") as source:
            descriptor = os.open(
                target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR
            )
            with open(descriptor, "wb") as file:
                while block := source.read(min(_BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise CheckpointUnsafe(f"{self.where(name)} has more than {limit} bytes")
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())

    def put(self, source: Path, name: str, size: int, *, grows: bool = True) -> None:
        """Copy the first bytes of a file to here, in place of what is there.

        Args:
            source: The file.
            name: Name that the copy gets.
            size: Number of bytes.
            grows: Whether more may be appended to the file meanwhile.

        Raises:
            OSError: It could not be copied; there may be a part of it.
        """
        path = self._path(name)

        def write() -> None:
            if self._local:
                _replace(source, Path(path), size)
            elif grows:
                with source.open("rb") as file, self._system.open(path, "wb") as target:
                    _send(file, target, size)
            else:
                self._system.put_file(str(source), path)

        with _plain_errors():
            try:
                write()
            except FileNotFoundError:
                if not self._makes_folders:  # it would make a bucket
                    raise
                self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
                write()

    def copy(self, name: str, source: Path, other: str, size: int) -> None:
        """Give a copy of a file here another name, without sending it again where that can be.

        Args:
            name: Name of the file.
            source: The same file on this machine.
            other: Name that the copy gets.
            size: Its number of bytes.

        Raises:
            OSError: It could not be copied.
        """
        if self._local:
            with _plain_errors():
                replace_by_link(Path(self._path(name)), Path(self._path(other)))
            return
        try:
            with _plain_errors():
                self._system.cp_file(self._path(name), self._path(other))
        except OSError:  # many file systems have no such command
            self.put(source, other, size)

    def remove(self, name: str) -> None:
        """Remove a file; none being there is fine."""
        with _plain_errors(), suppress(FileNotFoundError):
            self._system.rm_file(self._path(name))

    def remove_folder(self, name: str) -> None:
        """Remove a folder with all that is in it; none being there is fine."""
        with _plain_errors(), suppress(FileNotFoundError):
            self._system.rm(self._path(name), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


def _send(source: Any, target: Any, size: int) -> None:
    while size and (block := source.read(min(_BLOCK, size))):
        size -= len(block)
        target.write(block)


def _replace(source: Path, target: Path, size: int) -> None:
    """Write a file in one go, also where others see it over a network."""
    made = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        with source.open("rb") as file, made.open("xb") as copy:
            made.chmod(stat.S_IMODE(os.fstat(file.fileno()).st_mode))
            _send(file, copy, size)
        sync(made)
        os.replace(made, target)
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what libraries for stores raise, which have errors of their own, into ``OSError``."""
    try:
        yield
    except (OSError, CheckpointUnsafe):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
