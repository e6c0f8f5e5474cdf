"""A text file that is only ever appended to, and that never holds half of a block."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_BLOCK = 65_536


class AppendFile:
    """Lines at the end of a file.

    Nothing is held back in this process, so that a kill loses no line. A block that does not fit
    on the disk is taken back, and the next one starts at the beginning of a line.

    Args:
        path: The file; made if it is not there. A line that a kill has cut short is removed.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._path = path
        self._cut_torn_line()

    @property
    def size(self) -> int:
        """Number of bytes."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, text: str) -> None:
        """Write whole lines and hand them to the operating system at once.

        Raises:
            OSError: They could not be written; none of them was.
        """
        start, rest = self.size, memoryview(text.encode("utf-8"))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with suppress(OSError):
                self._file.truncate(start)
            raise

    def position(self) -> dict[str, Any]:
        """Bring everything to the disk; say where the file ends."""
        os.fsync(self._file.fileno())
        return {"bytes": self.size}

    def cut(self, position: Mapping[str, Any]) -> None:
        """Remove what was appended after a position.

        A file that is shorter by now stays as it is; so does one for which the position says
        nothing that makes sense.
        """
        wanted = position.get("bytes")
        if type(wanted) is int and 0 <= wanted < self.size:
            self._file.truncate(wanted)
            self._cut_torn_line()

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._file.close()

    def _cut_torn_line(self) -> None:
        """Remove what stands behind the last end of a line."""
        end = self.size
        with self._path.open("rb") as file:
            while end:
                start = max(0, end - _BLOCK)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    end = start + found + 1
                    break
                end = start
        if end < self.size:
            self._file.truncate(end)
