"""Copies of an environment in processes: the parent's side."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

from gymnasium.vector.utils import CloudpickleWrapper

from coterie import ConfigError, EnvContractError

from .layout import Layout
from .messages import Answer, Failure, RemoteTraceback, Request, error_of
from .worker import serve

CLOSE_SECONDS = 10.0


class InProcesses:
    """The copies of an environment, spread over processes.

    The arrays lie in memory that is shared with them; a step costs a message to each process and
    one back. The processes end when they are closed, when this object or its process is gone.

    Args:
        makers: Functions that make a copy each; they must be picklable (by cloudpickle).
        layout: What the copies observe and do.
        workers: Number of processes.
        name: What they are, for messages.

    Raises:
        ConfigError: The makers can't be pickled, or a copy can't be made as the first was.
        EnvContractError: A process ended before it was ready.
    """

    def __init__(
        self, makers: Sequence[Callable[[], Any]], layout: Layout, workers: int, name: str
    ) -> None:
        self._name = name
        self._rows = [range(*part) for part in spread(len(makers), workers)]
        self._owed: list[int] = []
        self._broken = ""
        self._closed = False
        context = multiprocessing.get_context("spawn")
        memory: Any = context.RawArray("b", layout.nbytes(len(makers)))
        self.arrays = layout.arrays(len(makers), memory)
        self._pipes: list[Connection[Any, Any]] = []
        self._processes: list[Any] = []
        try:
            for rows in self._rows:
                own = self._pickled(list(makers[rows.start : rows.stop]))
                self._start(context, (memory, layout, own, rows.start, len(makers)))
            self._owed = list(range(len(self._rows)))
            self._collect()
        except BaseException:
            self.close()
            raise

    def _pickled(self, makers: list[Callable[[], Any]]) -> bytes:
        try:
            return pickle.dumps(CloudpickleWrapper(lambda: makers))
        except Exception as error:
            raise ConfigError(
                f"{self._name}: its environment can't be sent to another process "
                f"({type(error).__name__}: {error}); make it by a function that holds no open "
                'objects, or use vectorization="sync"'
            ) from error

    def _start(self, context: Any, arguments: tuple[Any, ...]) -> None:
        ours, theirs = context.Pipe()
        self._pipes.append(ours)
        try:
            process = context.Process(
                target=serve, args=(theirs, *arguments, self._name), daemon=True, name=self._name
            )
            process.start()
        finally:
            theirs.close()
        self._processes.append(process)

    def reset(
        self, seeds: Mapping[int, int | None], options: dict[str, Any] | None
    ) -> dict[int, Mapping[Any, Any]]:
        """Begin episodes; see :meth:`InTurn.reset`."""
        requests = {}
        for worker, rows in enumerate(self._rows):
            own = {row: seeds[row] for row in rows if row in seeds}
            if own:
                requests[worker] = Request("reset", (own, options))
        return self._ask(requests)

    def step(self) -> dict[int, Mapping[Any, Any]]:
        """Step every copy; see :meth:`InTurn.step`."""
        return self._ask(dict.fromkeys(range(len(self._pipes)), _STEP))

    def render(self) -> dict[int, Any]:
        """Draw every copy; by row."""
        return self._ask(dict.fromkeys(range(len(self._pipes)), Request("render")))

    def _ask(self, requests: Mapping[int, Request]) -> dict[int, Any]:
        """Ask processes; raise what one of them raised once all have answered."""
        if self._broken:
            raise EnvContractError(self._broken)
        if self._owed:  # somebody interrupted the wait for these answers
            self._receive_all()
        for worker, request in requests.items():
            try:
                self._pipes[worker].send(request)
            except OSError:
                self._receive_all()
                raise self._died(worker) from None
            self._owed.append(worker)
        return self._collect()

    def _collect(self) -> dict[int, Any]:
        replies = self._receive_all()
        for reply in replies:
            if isinstance(reply, Failure):
                error = error_of(reply) or EnvContractError(f"{self._name}: {reply.summary}")
                raise error from RemoteTraceback(reply.traceback)
        values = [reply.value or {} for reply in replies if isinstance(reply, Answer)]
        return {row: value for found in values for row, value in found.items()}

    def _receive_all(self) -> list[Answer | Failure]:
        replies, dead = [], []
        while self._owed:
            worker = self._owed[0]
            try:
                replies.append(self._pipes[worker].recv())
            except (EOFError, OSError):
                dead.append(worker)
            self._owed.remove(worker)
        if dead:
            raise self._died(dead[0])
        return replies

    def _died(self, worker: int) -> EnvContractError:
        process, rows = self._processes[worker], self._rows[worker]
        process.join(5.0)
        self._broken = (
            f"{self._name}: the process of instances {rows.start} to {rows.stop - 1} (pid "
            f"{process.pid}) ended without a word, {_ending(process.exitcode)}; close the "
            "environment and make it again. What the process printed may say why; a script that "
            'makes environments in processes needs the guard: if __name__ == "__main__":'
        )
        return EnvContractError(self._broken)

    def close(self) -> None:
        """End the processes; those that take longer than 10 s are killed."""
        if self._closed:
            return
        self._closed, self._broken = True, f"{self._name} is closed"
        for pipe in self._pipes:
            pipe.close()
        deadline = time.monotonic() + CLOSE_SECONDS
        late = self._processes
        try:
            for process in self._processes:
                process.join(max(0.0, deadline - time.monotonic()))
            late = [process for process in self._processes if process.is_alive()]
            self._warn(late)
        finally:  # also where somebody does not want to wait so long
            for process in late:
                process.kill()
            for process in self._processes:
                process.join()
                process.close()
            self._processes, self._pipes, self.arrays = [], [], {}

    def _warn(self, late: Sequence[Any]) -> None:
        codes = [p.exitcode for p in self._processes if p not in late and p.exitcode]
        if late:
            trouble = f"closing took more than {CLOSE_SECONDS:g} s, so processes were killed"
        elif codes:
            trouble = f"a process ended {_ending(codes[0])}"
        else:
            return
        warnings.warn(f"{self._name}: {trouble}", RuntimeWarning, stacklevel=4)


_STEP = Request("step")


def spread(count: int, workers: int) -> Iterator[tuple[int, int]]:
    """Share ``count`` rows out, each worker's in one range; the sizes differ by one at most."""
    bounds = [count * worker // workers for worker in range(workers + 1)]
    return pairwise(bounds)


def _ending(exitcode: int | None) -> str:
    if exitcode is None:
        return "with its exit code unknown"
    if exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"with exit code {exitcode}"
