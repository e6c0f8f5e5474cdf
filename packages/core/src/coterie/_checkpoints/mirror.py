"""Copies of a run's checkpoints elsewhere, made by a thread while training goes on."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import warnings
from pathlib import Path

from .._errors import CheckpointWriteError, ConfigError
from .cfg import CheckpointCfg
from .copying import RUN_ABOUT, Copier
from .staging import Stage, hold
from .store import Store

_log = logging.getLogger("coterie")
_PATIENCE = 2.0
_BUSY: set[Mirror] = set()


class Mirror:
    """Copies the checkpoints of a run to a folder elsewhere.

    One is copied at a time, and at most one waits; a newer one takes its place. Files are held
    by links from the moment on that a checkpoint is handed over, so that it can be pruned.

    Args:
        url: URL of the folder, or a path.
        run: Folder of the run.
        cfg: Which are kept, and what a failure leads to.

    Raises:
        ConfigError: There is no such protocol, or the URL names no folder.
        PluginError: fsspec, or what the protocol needs, is not installed.
    """

    def __init__(self, url: str, run: Path, cfg: CheckpointCfg) -> None:
        self._store = Store(url)
        self._copier = Copier(self._store, cfg.keep)
        self._run, self._cfg = run, cfg
        self._changed = threading.Condition()
        self._waiting: Stage | None = None
        self._at_work: Stage | None = None
        self._failure: CheckpointWriteError | None = None
        self._left = False

    @property
    def failed_for_good(self) -> bool:
        """Whether a copy failed, and that shall end the run."""
        return self._cfg.strict and self._failure is not None

    def require_own(self, run_id: str | None) -> None:
        """Check, before anything starts, that the folder holds no other run.

        A folder that can't be looked at is warned about: it may be there later.

        Args:
            run_id: What ``run.json`` calls the run; ``None``: it has no name yet.

        Raises:
            ConfigError: It holds another run.
            CheckpointWriteError: It can't be looked at, and failures shall end the run.
        """
        try:
            self._copier.require_own(run_id)
        except OSError as error:
            self._failure = CheckpointWriteError(
                f"checkpoints.mirror={self._store.url} can't be reached: {_reason(error)}"
            )
            self.tell("the run is written here, copies are tried with each checkpoint")

    def go_on_from(self, checkpoint: Path) -> None:
        """Take note that the run goes on from a checkpoint: what came after it is void."""
        self._copier.go_on_from(checkpoint.name)

    def submit(self, checkpoint: Path) -> None:
        """Hand a checkpoint over, to be copied with the run's files as they are now.

        Before the run has begun there is nothing yet that could go on elsewhere.
        """
        if not (self._run / RUN_ABOUT).exists():
            return
        try:
            stage = hold(self._run, checkpoint)
        except OSError as error:
            self._failure = self._describe(checkpoint, error)
            return
        with self._changed:
            if self._waiting is not None:
                self._waiting.drop()
            self._waiting, self._left = stage, False
            if self not in _BUSY:
                _BUSY.add(self)
                try:
                    threading.Thread(target=self._work, name="coterie-mirror", daemon=True).start()
                except RuntimeError as error:  # there are too many, or the program ends
                    _BUSY.discard(self)
                    self._failure = self._describe(checkpoint, error)

    def tell(self, what_now: str = "training goes on, the next one is tried in time") -> None:
        """Tell of a copy that failed, once.

        Args:
            what_now: What happens next, for the warning.

        Raises:
            CheckpointWriteError: A copy failed, and that shall end the run.
        """
        if self._failure is None:
            return
        failure, self._failure = self._failure, None
        if self._cfg.strict:
            raise failure
        warnings.warn(f"{failure}; {what_now}", RuntimeWarning, stacklevel=3)

    def finish(self, checkpoint: Path) -> None:
        """Copy the last checkpoint and the run's final files, and wait until they are there.

        Raises:
            CheckpointWriteError: They could not be copied, and that shall end the run.
        """
        self.submit(checkpoint)
        bound = self._cfg.mirror_wait
        there = False
        try:
            there = self._wait(bound)
        finally:  # who interrupts this wait does not want to wait again at exit
            self._left = not there
        if not there:
            self._failure = CheckpointWriteError(
                f"the copy of {checkpoint} to {self._store.url} was not there after {bound:g} s "
                "(checkpoints.mirror_wait); the checkpoint is whole here"
            )
        self.tell("the run has ended")

    def leave(self) -> None:
        """Copy nothing more but what is being copied, and do not wait for that."""
        with self._changed:
            self._left = True
            if self._waiting is not None:
                self._waiting.drop()
                self._waiting = None

    def _wait(self, seconds: float) -> bool:
        """Wait for all copies; say whether they were made in time, or failed."""
        started = time.monotonic()
        told = False
        with self._changed:
            while self in _BUSY:
                spent = time.monotonic() - started
                if spent >= seconds:
                    return False
                if spent >= _PATIENCE and not told:
                    told = True
                    _log.warning(
                        "waiting for the last copy to %s, at most %g s; Ctrl-C, perhaps twice, "
                        "ends that",
                        self._store.url,
                        seconds,
                    )
                self._changed.wait(min(seconds - spent, 0.5))
        return True

    def _work(self) -> None:
        """Copy what waits, until nothing does; this is the thread."""
        while True:
            with self._changed:
                self._at_work, self._waiting = self._waiting, None
                stage = self._at_work
                if stage is None:
                    _BUSY.discard(self)
                    self._changed.notify_all()
                    return
            try:
                self._copier.copy(stage)
            except Exception as error:  # whatever it is, training must not end by it
                self._failure = self._describe(stage.source, error)
            finally:
                stage.drop()

    def _describe(self, checkpoint: Path, error: Exception) -> CheckpointWriteError:
        failure = CheckpointWriteError(
            f"could not copy the checkpoint {checkpoint} to {self._store.url}: {_reason(error)}; "
            "it is whole here"
        )
        failure.errno = error.errno if isinstance(error, OSError) else None
        return failure

    def at_exit(self) -> None:
        """Wait for what nobody waited for, where the program ends; tidy up what stays."""
        if not self._left and not self._wait(self._cfg.mirror_wait):
            _log.warning("the last copy to %s was not finished", self._store.url)
        for stage in (self._at_work, self._waiting):
            if stage is not None:
                stage.drop()
        if self._failure is not None:
            _log.warning("%s", self._failure)


def _reason(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    told = error.strerror if isinstance(error, OSError) else None
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return f"{told}{where}" if told else str(error) or type(error).__name__


_PID = os.getpid()


@atexit.register
def _finish_all() -> None:
    """Let no program end in the middle of a copy that nobody has waited for."""
    for mirror in list(_BUSY) if os.getpid() == _PID else ():
        mirror.at_exit()
