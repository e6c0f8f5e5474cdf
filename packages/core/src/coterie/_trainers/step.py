"""The trainer that the caller drives, timestep by timestep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from .._agents.transition import Transition
from .._errors import TrainerStateError
from .._executors.interface import Mode
from .._runs.records import Summary
from .interrupts import Interrupts
from .sequential import SequentialTrainer
from .session import Session


class StepTrainer(SequentialTrainer):
    """Like ``sequential``, but each call performs one timestep and returns its transition.

    .. code-block:: python

        for timestep in range(cfg.timesteps):
            transition = trainer.train(timestep=timestep)

    After ``cfg.timesteps`` timesteps the run ends: agents are saved, metrics are written,
    :attr:`summary` is there. The next call starts another.

    Attributes:
        summary: How the last run ended; ``None`` before the first did.
    """

    kind: ClassVar[str] = "step"
    summary: Summary | None = None
    _active: Session | None = None
    _iterator: Iterator[Transition]

    @property
    def under_way(self) -> bool:
        """Whether a run has begun and has timesteps left."""
        return self._active is not None

    def train(self, timestep: int | None = None) -> Transition:  # type: ignore[override]
        """Train for one timestep.

        Args:
            timestep: Which one it is, for a check; ``None``: the next.

        Returns:
            The step of the whole environment, tensors ``[num_envs, ...]``.

        Raises:
            TrainerStateError: ``timestep`` is not the next one.
            TrainingInterrupted: SIGINT or SIGTERM came; the timestep was finished and the run
                ended.
        """
        with self._running():
            return self._step("train", timestep)

    def eval(self, timestep: int | None = None) -> Transition:  # type: ignore[override]
        """Evaluate for one timestep; the first one resets the environment.

        Args:
            timestep: Which one it is, for a check; ``None``: the next.

        Returns:
            The step of the whole environment, tensors ``[num_envs, ...]``.

        Raises:
            TrainerStateError: ``timestep`` is not the next one.
        """
        with self._running():
            return self._step("eval", timestep)

    def save(self, path: str | Path | None = None) -> Path:
        """Write a checkpoint between two timesteps; arguments and errors as for the base."""
        if self._active is None or self._active.run.mode == "eval":
            return super().save(path)
        self._check_path(path)
        with self._running():
            return self._active.save(None if path is None else Path(path))

    def resume(self, path: str | Path | None = None, *, timesteps: int | None = None) -> int:
        """Take over a checkpoint; arguments and errors as for the base.

        Raises:
            TrainerStateError: A run is under way; :meth:`finish` ends it.
        """
        if self._active is not None:
            raise TrainerStateError("a run is under way; end it with finish()")
        return super().resume(path, timesteps=timesteps)

    def finish(self) -> Summary | None:
        """End a run before all its timesteps were done; return :attr:`summary`."""
        if self._active is not None:
            self._end_active(interrupted=True)
        return self.summary

    def close(self) -> None:
        """End the run, if one is under way, and give everything back."""
        self.finish()
        super().close()

    def _step(self, mode: Mode, timestep: int | None) -> Transition:
        if self._active is not None and self._active.run.mode != mode:
            self._end_active(interrupted=True)
        first = self.timestep if mode == "train" else 0
        expected = first if self._active is None else self._active.recorder.timestep
        if timestep is not None and timestep != expected:
            raise TrainerStateError(f"the next timestep is {expected}, got timestep={timestep}")
        session = self._active or self._start(mode)
        with Interrupts() as interrupts:
            session.interrupted = interrupts.requested
            try:
                transition = next(self._iterator)
            except BaseException as error:
                self._active = None
                self._end(session, error)
                raise
            done = session.over
            if done or interrupts.requested():
                self._end_active(interrupted=not done)
        self._raise_interrupt(interrupts, session)
        return transition

    def _start(self, mode: Mode) -> Session:
        session = self._train_session() if mode == "train" else self._eval_session()
        self._active, self._iterator = session, session.steps(lambda: False, apart=True)
        return session

    def _end_active(self, interrupted: bool = False) -> None:
        session, self._active = self._active, None
        if session is not None:
            self.summary = self._end(session, None, interrupted)
