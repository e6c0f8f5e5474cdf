"""The server: a small process that starts workers, watches them, and outlives nobody.

It imports torch once; workers are forked from it in milliseconds and share its pages. It has one
thread and touches no CUDA, so forking is safe. When the trainer's process is gone, it kills the
workers with all that they started; when it is gone itself, the kernel kills them.
"""

from __future__ import annotations

import atexit
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from attrs import define

from ._channel import Channel, anonymous_file
from ._messages import Dump, Dumped, Exited, Kill, Preload, Prepare, Ready, Start, Started
from ._system import die_with_parent, kill_group, open_pidfd

_TEXT = 16_000
_DUMP_SECONDS = 1.0


@define
class Child:
    """A worker, as the server knows it.

    Attributes:
        number: Number of the worker.
        pid: Process id.
        log: File that it writes stacks to.
    """

    number: int
    pid: int
    log: int


class Server:
    """Starts workers when it is told to, and tells when they end.

    Args:
        channel: To the trainer.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._children: dict[int, Child] = {}
        self._prepare = self._first_message()
        self._trainer = open_pidfd(self._prepare.parent)
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        self._own = [self._wake, wake]
        self._own += [] if self._trainer is None else [self._trainer]
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Serve until the trainer is gone; then kill everything."""
        if self._prepare.fork:
            import_torch()
        self._channel.send(Ready())
        poll = select.poll()
        for fd in (self._channel.fileno(), self._wake, self._trainer):
            if fd is not None:
                poll.register(fd, select.POLLIN)
        try:
            while self._turn({fd for fd, _ in poll.poll(1000)}):
                pass
        finally:
            for child in self._children.values():
                kill_group(child.pid)

    def _turn(self, ready: set[int]) -> bool:
        if os.getppid() != self._prepare.parent or self._trainer in ready:
            return False
        if self._wake in ready:
            _drain(self._wake)
            self._reap()
        if self._channel.fileno() in ready:
            while True:
                self._obey(*self._channel.receive())
                if not self._channel.pending:
                    break
        return True

    def _obey(self, message: Any, fds: list[int]) -> None:
        if isinstance(message, Start):
            child = self._start(message, fds)
            self._children[message.worker] = child
            self._channel.send(Started(worker=message.worker, pid=child.pid))
        elif isinstance(message, Preload) and self._prepare.fork:
            preload(message.modules)
        elif isinstance(message, Kill) and message.worker in self._children:
            kill_group(self._children[message.worker].pid)
        elif isinstance(message, Dump):
            text = self._stack(self._children.get(message.worker))
            self._channel.send(Dumped(worker=message.worker, text=text))

    def _start(self, message: Start, fds: list[int]) -> Child:
        log = anonymous_file("coterie-stacks")
        start: Callable[..., int] = self._fork if self._prepare.fork else self._spawn
        pid = start(message, fds, log)
        for fd in fds:
            os.close(fd)
        return Child(message.worker, pid, log)

    def _fork(self, message: Start, fds: list[int], log: int) -> int:
        server = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            return pid
        try:
            os.setpgid(0, 0)
            die_with_parent(server)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._channel.close()
            for fd in [*self._own, *(child.log for child in self._children.values())]:
                os.close(fd)
            _forget_exit_functions()
            from ._worker import run

            run(message.worker, message.workers, fds, log)
        except BaseException:
            os.write(log, traceback.format_exc().encode(errors="replace"))
        finally:
            os._exit(1)

    def _spawn(self, message: Start, fds: list[int], log: int) -> int:
        for fd in [*fds, log]:
            os.set_inheritable(fd, True)
        numbers = [os.getpid(), message.worker, message.workers, log, *fds]
        code = f"from {__package__}._server import be_worker; be_worker({numbers})"
        arguments = [*_interpreter(), "-c", _with_path(code)]
        pid = os.posix_spawn(sys.executable, arguments, os.environ, setpgroup=0)
        os.set_inheritable(log, False)
        return pid

    def _reap(self) -> None:
        """Find workers that ended; before one is forgotten, all that it started is killed."""
        for child in list(self._children.values()):
            found = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                continue
            kill_group(child.pid)
            status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
            del self._children[child.number]
            text = _read(child.log, 0)
            os.close(child.log)
            self._channel.send(Exited(worker=child.number, pid=child.pid, status=status, text=text))

    def _stack(self, child: Child | None) -> str:
        """Let a worker write its stack, and read it; empty if it can't."""
        if child is None or not hasattr(signal, "SIGUSR1"):
            return ""
        start = os.fstat(child.log).st_size
        os.kill(child.pid, signal.SIGUSR1)
        deadline, size = time.monotonic() + _DUMP_SECONDS, start
        while time.monotonic() < deadline:
            time.sleep(0.01)
            now = os.fstat(child.log).st_size
            if now == size and now > start:
                break
            size = now
        return _read(child.log, start)

    def _first_message(self) -> Prepare:
        message, _ = self._channel.receive()
        assert isinstance(message, Prepare)
        return message


def import_torch() -> None:
    """Import what every worker needs; torch is kept to one thread, so that forking is safe."""
    import torch

    torch.set_num_threads(1)
    from . import _worker  # noqa: F401


def preload(modules: tuple[str, ...]) -> None:
    """Import modules that workers need and do the work that is done once per process.

    Nothing here may touch CUDA: with a build for CUDA, no optimiser takes a step, for it would
    look for devices.
    """
    import torch

    for name in modules:
        try:
            __import__(name)
        except Exception as error:
            print(f"coterie: could not import {name} in advance: {error!r}", file=sys.stderr)
    if "torch._dynamo" in sys.modules and not torch.version.cuda:
        _warm_up(torch)
    gc.collect()
    gc.freeze()


def _warm_up(torch: Any) -> None:
    layer = torch.nn.Linear(4, 4)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.zeros(2, 4)).tanh().sum().backward()
    optimiser.step()


def _forget_exit_functions() -> None:
    """Drop what the server registered for its exit; children that agents start are still joined."""
    import multiprocessing.util as util

    atexit._clear()
    atexit.register(util._exit_function)  # type: ignore[attr-defined]


def _interpreter() -> list[str]:
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]

    return [sys.executable, *_args_from_interpreter_flags()]


def _with_path(code: str) -> str:
    """Let code that a new interpreter runs start with this process's module path and arguments."""
    return f"import sys; sys.path[:] = {sys.path!r}; sys.argv[:] = {sys.argv!r}; {code}"


def _nothing(*_: object) -> None:
    """Handle SIGCHLD: only the wake-up counts."""


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


def _read(fd: int, start: int) -> str:
    data = os.pread(fd, max(0, os.fstat(fd).st_size - start), start)
    text = data.decode(errors="replace")
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}\n[cut]"


def be_worker(numbers: list[int]) -> None:
    """Be a worker that was spawned; does not return."""
    server, worker, workers, log, *fds = numbers
    die_with_parent(server)
    for fd in [*fds, log]:
        os.set_inheritable(fd, False)
    from ._worker import run

    run(worker, workers, fds, log)


def be_server(fd: int) -> None:
    """Be the server; does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(fd, False)
    code = 0
    try:
        Server(Channel(socket.socket(fileno=fd))).serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the trainer is gone, or has no more use for it
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)  # taking torch apart in good order takes long
