"""The trainer's handle on the server that starts and watches the workers."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from ._channel import Channel
from ._messages import Dump, Dumped, Exited, Kill, Preload, Prepare, Ready, Start, Started
from ._server import _interpreter, _with_path

T = TypeVar("T")


class ServerLost(Exception):
    """The server ended, or did not answer in time."""


class Launcher:
    """Starts the server and talks with it.

    Args:
        fork: Whether workers are forked from the server, else spawned.
    """

    def __init__(self, fork: bool) -> None:
        self.owner = os.getpid()
        self.kept = False
        self._ready = False
        self._channel, theirs = Channel.pair()
        self._exits: list[Exited] = []
        self.lost = False
        self._owes_answers = False
        code = f"from {__package__}._server import be_server; be_server({theirs.fileno()})"
        try:
            self._process = subprocess.Popen(
                [*_interpreter(), "-c", _with_path(code)],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._channel.send(Prepare(fork=fork, parent=self.owner))

    def fileno(self) -> int:
        """Descriptor that becomes readable when the server has something to tell."""
        return self._channel.fileno()

    def wait_ready(self, seconds: float) -> None:
        """Wait until workers can be started.

        Raises:
            ServerLost: The server ended, or needs longer than that.
        """
        if not self._ready:
            self._await(Ready, seconds)

    def preload(self, modules: Sequence[str]) -> None:
        """Let the server import modules before it starts more workers.

        Raises:
            ServerLost: The server ended.
        """
        self._send(Preload(modules=tuple(modules)))

    def start(self, worker: int, workers: int, fds: Sequence[int], seconds: float) -> int:
        """Start a worker and return its process id.

        Args:
            worker: Number of the worker.
            workers: How many there are.
            fds: The worker's end of its channel, the block, and the two signals.
            seconds: How long that may take.

        Raises:
            ServerLost: The server ended, or needs longer than that.
        """
        self._send(Start(worker=worker, workers=workers), fds)
        return self._await(Started, seconds, worker).pid

    def stack(self, worker: int, seconds: float) -> str:
        """Ask for the stack of a worker; empty if it can't be had."""
        try:
            self._send(Dump(worker=worker))
            return self._await(Dumped, seconds, worker).text
        except ServerLost:
            return ""

    def kill(self, worker: int) -> None:
        """Kill a worker and all that it started; :meth:`exits` tells when it is gone."""
        with contextlib.suppress(ServerLost):
            self._send(Kill(worker=worker))

    @property
    def news(self) -> bool:
        """Whether :meth:`exits` has something that was read already: no descriptor tells."""
        return bool(self._exits) or self._channel.pending

    def exits(self) -> list[Exited]:
        """Take the workers that ended since the last call; does not wait."""
        while not self.lost and self._readable(0):
            self._receive()
        found, self._exits = self._exits, []
        return found

    def close(self, seconds: float) -> None:
        """End the server; what it still watches is killed. Calling it again does nothing."""
        self._channel.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill_server(self) -> None:
        """End the server at once, wherever it is; it must have no workers."""
        self._process.kill()
        self._channel.close()
        self._process.wait()

    @property
    def usable(self) -> bool:
        """Whether the server is running, and has answered everything that it was asked."""
        return not self.lost and not self._owes_answers and self._process.poll() is None

    def how_it_ended(self) -> str:
        """Say what happened to the server."""
        code = self._process.poll()
        return "it did not answer" if code is None else f"it ended with exit code {code}"

    def _send(self, message: object, fds: Sequence[int] = ()) -> None:
        if self.lost:
            raise ServerLost
        try:
            self._channel.send(message, fds)
        except OSError:
            self.lost = True
            raise ServerLost from None

    def _receive(self) -> Any:
        try:
            message, _ = self._channel.receive()
        except (EOFError, OSError):
            self.lost = True
            raise ServerLost from None
        if isinstance(message, Exited):
            self._exits.append(message)
        elif isinstance(message, Ready):
            self._ready = True
        return message

    def _await(self, kind: type[T], seconds: float, worker: int | None = None) -> T:
        """Wait for an answer, of a certain worker if one is given."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._readable(left):
                message = self._receive()
                if isinstance(message, kind) and getattr(message, "worker", None) == worker:
                    return message
        self._owes_answers = True  # what it does later is nobody's any more
        raise ServerLost

    def _readable(self, seconds: float) -> bool:
        if self._channel.pending:
            return True
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        return bool(poll.poll(seconds * 1000))
