"""Servers that are kept warm, for programs that make many trainers."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from typing import Any, Self

from coterie import Experiment, TrainerStateError, structure

from ._cfg import ParallelTrainerCfg
from ._launcher import Launcher, ServerLost

_CLOSE_SECONDS = 10.0
_idle: list[Launcher] = []


class WorkerServer:
    """Keeps the process warm from which workers are forked, so that trainers start at once.

    A trainer starts such a process for itself, which takes as long as to import torch. Make one of
    these early and that happens beside your own imports; make many trainers, one after the other,
    and it happens once.

    .. code-block:: python

        with coterie_backends_mp.WorkerServer():
            for seed in range(10):
                ...  # make a parallel trainer, train, close it

    Args:
        preload: Modules that workers will need. They must start no threads and touch no CUDA.

    Attributes:
        pid: Process id.
    """

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._launcher = Launcher(fork=True)
        self._launcher.kept = True
        self._launcher.preload(preload)
        self.pid = self._launcher.pid
        _idle.append(self._launcher)

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until workers can be forked from it.

        Raises:
            TrainerStateError: It ended, or needs longer than that.
        """
        try:
            self._launcher.wait_ready(seconds)
        except ServerLost:
            how = self._launcher.how_it_ended()
            raise TrainerStateError(f"the server of workers can't be used: {how}") from None

    def close(self) -> None:
        """End the process, or let the trainer that uses it do so. Idempotent."""
        self._launcher.kept = False
        if self._launcher in _idle:
            _idle.remove(self._launcher)
            self._launcher.close(_CLOSE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def anticipate(experiment: Experiment) -> None:
    """Start a server for an experiment's trainer, unless one is there or none will be needed.

    It is the next trainer's; if nobody takes it, it is killed when the program ends.

    Args:
        experiment: What will be trained.
    """
    cfg: Any = structure(ParallelTrainerCfg, experiment.trainer.settings)
    devices = [experiment.environment.device, *(m.device or "" for m in experiment.members)]
    if cfg.forks(any(name.startswith("cuda") for name in devices)) and not _idle:
        launcher = Launcher(fork=True)
        _idle.append(launcher)
        atexit.register(_discard, launcher)


def _discard(launcher: Launcher) -> None:
    """Kill a server that nobody took; it may be in the middle of its imports."""
    if launcher in _idle and launcher.owner == os.getpid():
        _idle.remove(launcher)
        launcher.kill_server()


def lease(fork: bool) -> Launcher:
    """Take a warm server, or start one.

    Args:
        fork: Whether workers are forked from it, else spawned.
    """
    for launcher in list(_idle) if fork else []:
        _idle.remove(launcher)
        if launcher.owner == os.getpid() and launcher.usable:
            return launcher
    return Launcher(fork)


def give_back(launcher: Launcher, clean: bool) -> None:
    """Give a server back after use; it is ended unless it is to be kept warm.

    Args:
        launcher: The server.
        clean: Whether all workers that were started from it are gone.
    """
    if launcher.kept and clean and launcher.usable:
        _idle.append(launcher)
    else:
        launcher.close(_CLOSE_SECONDS)
