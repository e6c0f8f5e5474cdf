"""Memory that other processes can open, and that is gone with the last of them."""

from __future__ import annotations

import mmap
import os
import secrets
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress

from coterie import SharedMemoryError

_TOKEN = 16  # bytes at the start by which a process knows that it opened the right file
HEADER = 64


class SharedFile:
    """A mapped anonymous file of zeros that can be sent to other processes.

    It has no name in any folder: once every process that opened it has ended, however it ended,
    nothing is left. What travels when it is pickled is the path under ``/proc`` of the sender's
    descriptor, so it can be opened by processes of the same user for as long as the sender
    keeps it. Where there is no ``/proc`` it is a file in the folder for temporary files, which
    the process that made it removes when it no longer needs it.

    Its pages are reserved when it is made, so that a lack of memory is an exception then.

    Args:
        size: Bytes behind the header.

    Attributes:
        memory: The mapped bytes; the first :data:`HEADER` are the file's own.

    Raises:
        SharedMemoryError: There is not enough memory, or the system has no such files.
    """

    def __init__(self, size: int) -> None:
        fd, path, named = _make(size + HEADER)
        self._map(fd, path, size, path if named else None)
        self.memory[:_TOKEN] = secrets.token_bytes(_TOKEN)

    def _map(self, fd: int, path: str, size: int, remove: str | None = None) -> None:
        self.size = size
        self._path = path
        # The descriptor stays open: it is what others open the file by.
        self._finalizer = weakref.finalize(self, _give_back, fd, remove)
        self.memory = mmap.mmap(fd, size + HEADER)

    def __reduce__(self) -> tuple[Callable[..., SharedFile], tuple[str, int, bytes]]:
        return open_shared, (self._path, self.size, bytes(self.memory[:_TOKEN]))


def open_shared(path: str, size: int, token: bytes) -> SharedFile:
    """Open a file that another process (or this one) made.

    Args:
        path: Where it is.
        size: Its bytes behind the header.
        token: How it starts.

    Raises:
        SharedMemoryError: It is gone, or may not be opened.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise SharedMemoryError(_unreachable(path, error.strerror)) from error
    shared = SharedFile.__new__(SharedFile)
    if os.fstat(fd).st_size != size + HEADER or os.pread(fd, _TOKEN, 0) != token:
        os.close(fd)
        raise SharedMemoryError(_unreachable(path, "it is another file now"))
    shared._map(fd, _own_path(fd) or path, size)
    return shared


def _unreachable(path: str, reason: str | None) -> str:
    return (
        f"the shared memory {path} can't be opened: {reason}; the process that sent it must "
        "still live, and run under the same user on the same machine"
    )


def _own_path(fd: int) -> str | None:
    """Path by which other processes can open a descriptor of this one, where there is one."""
    path = f"/proc/{os.getpid()}/fd/{fd}"
    return path if os.path.exists(path) else None


def _make(size: int) -> tuple[int, str, bool]:
    """Make a file; return its descriptor, the path to it, and whether that must be removed."""
    free = _free_bytes()
    if free is not None and size > free:
        raise SharedMemoryError(_lack(size, f"{free:,} are free"))
    unnamed = hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd")
    if unnamed:
        fd = os.memfd_create("coterie-replay", os.MFD_CLOEXEC)
        path = f"/proc/{os.getpid()}/fd/{fd}"
    else:
        fd, path = tempfile.mkstemp(prefix="coterie-replay-")
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
        else:
            os.ftruncate(fd, size)
    except OSError as error:
        os.close(fd)
        if not unnamed:
            os.unlink(path)
        raise SharedMemoryError(_lack(size, str(error.strerror))) from error
    return fd, path, not unnamed


def _lack(size: int, reason: str) -> str:
    return f"a shared memory of {size:,} bytes can't be had: {reason}; lower its capacity"


def _free_bytes() -> int | None:
    """Memory that can still be had, as the kernel estimates it."""
    with suppress(OSError), open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _give_back(fd: int, path: str | None) -> None:
    os.close(fd)
    if path is not None:
        with suppress(FileNotFoundError):
            os.unlink(path)
