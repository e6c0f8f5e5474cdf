"""One run of a trainer, from opening the executor to the summary."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._agents.transition import Transition
from .._envs.boundary import Boundary
from .._errors import CoterieError, WorkerError
from .._executors.driver import member_raised
from .._executors.interface import Executor
from .._registry.manager import registry
from .._runs.directory import RunDirectory
from .._runs.episodes import EpisodeTracker
from .._runs.recorder import Recorder
from .._runs.records import RunInfo, Summary
from .cfg import TrainerCfg
from .loop import Clock, Span, interact
from .members import Member
from .watch import StepWatch

if TYPE_CHECKING:
    from .._loggers.group import Loggers

_STATUS = {"train": "trained", "eval": "evaluated"}


@define(kw_only=True, eq=False)
class Session:
    """One run: :meth:`steps` until it is exhausted, then :meth:`end`.

    Attributes:
        run: What the run is.
        members: The population.
        cfg: The trainer's configuration.
        executor: The place where the members live.
        boundary: The environment, reset.
        tracker: Counts episodes.
        cut: Whether the run starts from a reset, which cut what agents recorded before.
        loggers: Where metrics go.
        directory: Where trained agents go; ``None``: nowhere.
        earlier: Seconds that earlier runs took.
    """

    run: RunInfo
    members: Sequence[Member]
    cfg: TrainerCfg
    executor: Executor
    boundary: Boundary
    tracker: EpisodeTracker
    cut: bool
    loggers: Loggers
    directory: RunDirectory | None
    earlier: float = 0.0
    recorder: Recorder = field(init=False)
    clock: Clock = field(init=False, factory=Clock)
    _saved: list[str] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.recorder = Recorder(
            self.run,
            self.members,
            self.tracker,
            self.cfg,
            self.loggers,
            self.earlier,
            self._timings,
        )

    def steps(
        self, should_stop: Callable[[], bool], *, apart: bool = False
    ) -> Iterator[Transition]:
        """Go through the timesteps; yield each step of the whole environment.

        Args:
            should_stop: Asked once per timestep; the run ends with the one that it says so at.
            apart: As in :class:`Span`.
        """
        self.executor.open(self.members, self.boundary.env.interface, self.run.mode, self.cfg)
        run = self.run
        span = Span(first=run.first_timestep, stop=run.timesteps, cut=self.cut, apart=apart)
        watch = StepWatch(self.clock, self.boundary.env.name, self.cfg.slow_warning)
        with watch, self._captions():
            for transition in interact(self.boundary, self.executor, span, self.clock, should_stop):
                self.recorder.step(transition, self.executor)
                if not self.cfg.headless and self.recorder.timestep % self.cfg.render_interval == 0:
                    self.boundary.env.render()
                self._someone_left()
                yield transition

    @contextmanager
    def _captions(self) -> Iterator[None]:
        """Let the environment's pictures show the members' names, unless they have others."""
        env = self.boundary.env
        if self.cfg.headless or env.captions:
            yield
            return
        scopes = {member.name: member.scope for member in self.members}
        env.captions = {name: range(scope.start, scope.stop) for name, scope in scopes.items()}
        try:
            yield
        finally:
            env.captions = {}

    def end(self, error: BaseException | None = None, interrupted: bool = False) -> Summary:
        """Bring what was learned home, save it, and sum the run up.

        Args:
            error: What ended the run early, if something did; a note about what was saved is
                added to it.
            interrupted: Whether a signal ended it early.

        Raises:
            CheckpointWriteError: The agents could not be saved (unless ``error`` is given).
            WorkerError: A member failed at the last moment (unless ``error`` is given).
        """
        troubles = self._bring_home(error)
        trouble = error or (troubles[0] if troubles else None)
        interrupted = interrupted or isinstance(error, KeyboardInterrupt)
        status = "interrupted" if interrupted else "failed" if trouble else "finished"
        word = status if status != "finished" else _STATUS[self.run.mode]
        summary = self.recorder.summary(word, self._timings())
        books = [partial(self.recorder.finish, summary), partial(self._write, status, summary)]
        troubles += _attempt(books)
        if error is not None:
            self._annotate(error, troubles)
        elif troubles:
            self._annotate(troubles[0], troubles[1:])
            raise troubles[0]
        return summary

    def _timings(self) -> dict[str, float]:
        """Seconds per part since the start of the run."""
        members = {f"members/{name}": value for name, value in self.executor.timings().items()}
        return {"environment": self.clock.environment, "members": self.clock.members, **members}

    def _bring_home(self, error: BaseException | None) -> list[Exception]:
        """Do all that is still possible, whatever of it fails; return what failed.

        Nothing is saved after a second signal, which came in the middle of a step.
        """
        steps: list[Callable[[], Any]] = [lambda: self.executor.settle(self.members)]
        if error is None:
            steps.insert(0, lambda: self.recorder.write(self.executor.metrics()))
        troubles = _attempt(steps)
        wanted = self.run.mode == "train" and not isinstance(error, KeyboardInterrupt)
        if self.directory is not None and wanted:
            folder = self.directory.path / "agents"
            members = [member for member in self.members if member.failure is None]
            troubles += _attempt([partial(self._save, member, folder) for member in members])
            if self._saved:
                registry().emit("coterie_checkpoint_saved", run=self.run, path=folder)
        return troubles

    def _save(self, member: Member, folder: Path) -> None:
        try:
            member.agent.save(folder / f"{member.name}.safetensors")
            self._saved.append(member.name)
        except CoterieError:
            raise
        except Exception as error:
            failure = member_raised(member, "save", self.recorder.timestep, error)
            member.status, member.failure = "failed", failure
            if self.cfg.on_member_failure == "raise":
                raise failure from error

    def _write(self, status: str, summary: Summary) -> None:
        if self.directory is not None and self.run.mode == "train":
            self.directory.finish(status, summary)
        elif self.directory is not None:
            self.directory.add_evaluation(summary)

    def _annotate(self, error: BaseException, troubles: Sequence[Exception]) -> None:
        if not isinstance(error, WorkerError):
            error.add_note(f"during {self.run.mode}, at step {self.recorder.timestep}")
        for trouble in troubles:
            warnings.warn(f"while the run was ended: {trouble}", stacklevel=2)
        if self.directory is None or not self._saved:
            error.add_note("no checkpoint was written")
        else:
            folder = self.directory.path / "agents"
            error.add_note(f"last checkpoint: {folder} (step {self.recorder.timestep})")

    def _someone_left(self) -> None:
        failures = [member.failure for member in self.members if member.failure is not None]
        if failures and len(failures) == len(self.members):
            failures[-1].add_note("every member has failed")
            raise failures[-1]


def _attempt(steps: Sequence[Callable[[], Any]]) -> list[Exception]:
    """Take every step, whatever of it fails; return what failed."""
    troubles: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as trouble:
            troubles.append(trouble)
    return troubles
