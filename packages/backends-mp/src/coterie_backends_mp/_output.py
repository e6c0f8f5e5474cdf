"""What a worker prints, line by line, with the member's name before it."""

from __future__ import annotations

import io
import os
import sys


class PrefixedStream(io.TextIOBase):
    """A text stream that writes whole lines with a prefix, each at once, so that none are torn.

    Args:
        fd: Descriptor to write to.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self.prefix = ""
        self._fd = fd
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """UTF-8."""
        return "utf-8"

    def writable(self) -> bool:
        """Always true."""
        return True

    def fileno(self) -> int:
        """The descriptor that lines go to."""
        return self._fd

    def write(self, text: str) -> int:
        """Take text; lines that are complete go out."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._emit(line)
        return len(text)

    def finish(self) -> None:
        """Write what is left of a line that was not completed."""
        if self._rest:
            self._emit(self._rest)
            self._rest = ""

    def _emit(self, line: str) -> None:
        data = f"{self.prefix}{line}\n".encode(errors="replace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            pass  # nobody reads it any more


class Output:
    """Standard output and error of a worker."""

    def __init__(self) -> None:
        self._streams = PrefixedStream(1), PrefixedStream(2)
        sys.stdout, sys.stderr = self._streams

    def belongs_to(self, name: str) -> None:
        """Mark what is printed from now on with a member's name."""
        prefix = f"[{name}] "
        for stream in self._streams:
            stream.prefix = prefix

    def finish(self) -> None:
        """Write lines that were not completed."""
        for stream in self._streams:
            stream.finish()
