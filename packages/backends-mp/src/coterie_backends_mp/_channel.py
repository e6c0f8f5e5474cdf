"""Messages over a socket pair, with file descriptors and without half messages.

A message of up to 16 kB is written at once, into a socket that is empty; a longer one goes into
an anonymous file whose descriptor travels instead. So neither side ever waits for the other in
the middle of a message, even when that is stopped or dies.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import tempfile
from collections.abc import Sequence
from typing import Any

_HEADER = struct.Struct("<IBB")
_INLINE = 16_000
_MAX_FDS = 16


def anonymous_file(name: str) -> int:
    """Open a new file that has no place in any folder and return its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Channel:
    """One end of a connection that carries pickled records and file descriptors.

    Args:
        sock: A connected Unix stream socket; the channel owns it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._fds: list[int] = []

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Make two connected ends."""
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(left), cls(right)

    def fileno(self) -> int:
        """Descriptor of the socket."""
        return self._socket.fileno()

    def send(self, message: object, fds: Sequence[int] = ()) -> None:
        """Send a record, and duplicates of file descriptors.

        Raises:
            OSError: The other end is gone.
        """
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        if len(body) <= _INLINE:
            self._write(_HEADER.pack(len(body), len(fds), 0) + body, fds)
            return
        file = anonymous_file("coterie-message")
        try:
            view = memoryview(body)
            while view:
                view = view[os.write(file, view) :]
            self._write(_HEADER.pack(0, len(fds) + 1, 1), [file, *fds])
        finally:
            os.close(file)

    def receive(self) -> tuple[Any, list[int]]:
        """Wait for a record; return it and the file descriptors that came with it.

        Raises:
            EOFError: The other end is gone.
        """
        while (message := self._take()) is None:
            data, fds, _, _ = socket.recv_fds(self._socket, 65_536, _MAX_FDS)
            self._fds += fds
            if not data:
                raise EOFError
            self._buffer += data
        return message

    @property
    def pending(self) -> bool:
        """Whether :meth:`receive` would not have to wait, for what was read already."""
        return len(self._buffer) >= _HEADER.size

    def close(self) -> None:
        """Close the socket. Calling it again does nothing."""
        self._socket.close()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def _write(self, data: bytes, fds: Sequence[int]) -> None:
        sent = socket.send_fds(self._socket, [data], fds) if fds else self._socket.send(data)
        if sent < len(data):
            self._socket.sendall(data[sent:])

    def _take(self) -> tuple[Any, list[int]] | None:
        if len(self._buffer) < _HEADER.size:
            return None
        size, count, large = _HEADER.unpack_from(self._buffer)
        end = _HEADER.size + size
        if len(self._buffer) < end or len(self._fds) < count:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        fds, self._fds = self._fds[:count], self._fds[count:]
        if large:
            with open(fds.pop(0), "rb") as file:
                file.seek(0)
                return pickle.load(file), fds
        return pickle.loads(body), fds
