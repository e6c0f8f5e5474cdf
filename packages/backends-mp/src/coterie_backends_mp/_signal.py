"""Wake-ups between processes: an eventfd where there is one, else a pipe."""

from __future__ import annotations

import os
from collections.abc import Sequence


class Signal:
    """Counts wake-ups. One side sends, the other waits; it has no name and leaves nothing behind.

    Args:
        fds: Descriptors as :attr:`fds` gave them, possibly in another process: one eventfd, or
            the reading and the writing end of a pipe.
    """

    def __init__(self, fds: Sequence[int]) -> None:
        self.fds = tuple(fds)
        self.fd = self.fds[0]
        self._event = len(self.fds) == 1

    @classmethod
    def create(cls) -> Signal:
        """Make a new one, without wake-ups."""
        if hasattr(os, "eventfd"):
            return cls((os.eventfd(0, os.EFD_CLOEXEC),))
        return cls(os.pipe())

    def send(self) -> None:
        """Wake the other side up."""
        if self._event:
            os.eventfd_write(self.fd, 1)
        else:
            os.write(self.fds[1], b"\1")

    def wait(self) -> None:
        """Wait for wake-ups, and take all that there are.

        Raises:
            EOFError: The other side is gone (pipes only).
        """
        if self._event:
            os.eventfd_read(self.fd)
        elif not os.read(self.fd, 4096):
            raise EOFError

    def close(self) -> None:
        """Give the descriptors back. Calling it again does nothing."""
        fds, self.fds = self.fds, ()
        for fd in fds:
            os.close(fd)


FDS_PER_SIGNAL = 1 if hasattr(os, "eventfd") else 2
"""Number of descriptors of a signal on this system."""
