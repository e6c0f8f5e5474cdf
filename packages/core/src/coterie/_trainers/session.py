"""One run of a trainer, from opening the executor to the summary."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._agents.transition import Transition
from .._checkpoints.writing import write_checkpoint
from .._controllers.group import Controllers
from .._envs.boundary import Boundary
from .._errors import CheckpointWriteError, CoterieError, WorkerError
from .._executors.driver import member_raised
from .._executors.interface import Place
from .._executors.saving import member_file, save_member, save_members
from .._registry.manager import registry
from .._runs.directory import RunDirectory
from .._runs.episodes import EpisodeTracker
from .._runs.recorder import Recorder
from .._runs.records import RunInfo, Summary
from .._types import State
from .capture import Capture, Position
from .cfg import TrainerCfg
from .checkpointing import AGENTS, Checkpointer
from .loop import Clock, Cues, Pause, Span
from .members import Member
from .stopping import Stopper
from .watch import StepWatch

if TYPE_CHECKING:
    from .._loggers.group import Loggers

_log = logging.getLogger("coterie")
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
        earlier: Seconds that training took before.
        resets: How often the environment was reset for training.
        checkpointer: Writes checkpoints; ``None``: there are none.
        resumed: Where the run goes on that was begun before; ``None``: it begins.
        stopper: Stops members before the run ends; ``None``: nobody does.
        controllers: Act on members between two timesteps.
        interrupted: Whether somebody wants the run to end: what waits must look.
        enough: Asked once per timestep; the run ends with the one that it says so at.
        on_picture: Takes each picture of the environment, and says whether it wants more.
    """

    run: RunInfo
    members: Sequence[Member]
    cfg: TrainerCfg
    executor: Place
    boundary: Boundary
    tracker: EpisodeTracker
    cut: bool
    loggers: Loggers
    directory: RunDirectory | None
    earlier: float = 0.0
    resets: int = 0
    checkpointer: Checkpointer | None = None
    resumed: Position | None = None
    stopper: Stopper | None = None
    controllers: Controllers = field(factory=Controllers)
    interrupted: Callable[[], bool] = lambda: False
    enough: Callable[[], bool] = lambda: False
    on_picture: Callable[[Any], bool] | None = None
    recorder: Recorder = field(init=False)
    clock: Clock = field(init=False, factory=Clock)
    _spent: dict[str, float] = field(init=False, factory=dict)
    _saved_at: int | None = field(init=False, default=None)
    _salvaged: Path | None = field(init=False, default=None)
    _pauses: dict[int, Pause] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.recorder = Recorder(
            self.run,
            self.members,
            self.tracker,
            self.cfg,
            self.loggers,
            self.earlier,
            self._timings,
            self.resumed,
        )

    def steps(
        self, should_stop: Callable[[], bool], *, apart: bool = False
    ) -> Iterator[Transition]:
        """Go through the timesteps; yield each step of the whole environment.

        Args:
            should_stop: Asked once per timestep; the run ends with the one that it says so at.
            apart: As in :class:`Span`.
        """
        self._open()
        self.interrupted = should_stop if not apart else self.interrupted
        if self.run.mode == "train":
            self.controllers.start(self)
        run, first = self.run, self.recorder.timestep
        span = Span(first=first, stop=run.timesteps, cut=self.cut, apart=apart)
        watch = StepWatch(self.clock, self.boundary.env.name, self.cfg.slow_warning)

        def over() -> bool:
            return should_stop() or self.enough()

        if self.checkpointer is not None and self.resumed is None:
            self._someone_left()
            self._checkpoint()
        cues = Cues(
            stop=over,
            pause=self._should_pause,
            metrics=self.recorder.due,
            note=self.recorder.note,
        )
        steps = self.executor.interact(self.boundary, span, self.clock, cues)
        with watch, self._captions():
            for transition in steps:
                self.recorder.step(transition, self.executor)
                self._draw()
                self._someone_left()
                pause = self._pauses.pop(self.recorder.timestep, None)
                if self.recorder.timestep >= run.timesteps:
                    self.controllers.end(self)
                elif pause is not None:
                    self._pause(pause)
                yield transition
                if self.over:
                    return

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do: all timesteps are done, or nobody acts any more."""
        done = self.recorder.timestep >= self.run.timesteps
        return done or not any(member.active for member in self.members)

    def _should_pause(self, timestep: int) -> Pause:
        """Tell what is done when ``timestep`` timesteps are done.

        Members may be stopped with each metrics: then they stop at the same timesteps whether or
        not there are checkpoints.
        """
        pause = Pause.CONTROL if self.controllers.due(timestep) else Pause(0)
        if self.checkpointer is not None or self.stopper is not None:
            rows = self.recorder.due(timestep)
            done = timestep - self.run.first_timestep
            if self.checkpointer is not None and self.checkpointer.due(done, rows):
                pause |= Pause.SAVE
            if rows and self.stopper is not None:
                pause |= Pause.STOP
        if pause:
            self._pauses[timestep] = pause
        return pause

    def _pause(self, pause: Pause) -> None:
        if Pause.STOP in pause:
            assert self.stopper is not None
            self._stop_members(self.stopper)
        if Pause.CONTROL in pause:
            self.controllers.act(self)
        if Pause.SAVE in pause and self._saved_at != self.recorder.timestep:
            self._checkpoint()

    def _stop_members(self, stopper: Stopper) -> None:
        """Freeze the members that are done; they get home what they have learned."""
        reasons = {
            member.index: stopper.reason(self.run, self.recorder.progress(member))
            for member in self.members
            if member.active
        }
        found = {index: reason for index, reason in reasons.items() if reason}
        if found:
            self.stop_members(found)

    def stop_members(self, reasons: Mapping[int, str]) -> None:
        """Freeze members, between two timesteps.

        Args:
            reasons: Why, by index of the member.
        """
        self.executor.settle(self.members)
        for index, reason in reasons.items():
            member = self.members[index]
            member.status, member.reason = "stopped", reason
            self.recorder.close_episodes(member)
            _log.info("%s is stopped at step %d: %s", member.name, self.recorder.timestep, reason)
        self._open_again()

    def write_metrics(self) -> None:
        """Write metrics, between two timesteps, unless that was done since the last timestep."""
        if not self.recorder.written:
            self.recorder.write(self.executor.metrics())

    def checkpoint_now(self) -> Path | None:
        """Write a checkpoint in the middle of the run, whenever the next is due; if there are."""
        if self.checkpointer is None:
            return None
        self._checkpoint()
        return self.checkpointer.last if self._saved_at == self.recorder.timestep else None

    def _open_again(self) -> None:
        """Hand the members over anew; the executor counts its seconds from zero then."""
        for name, seconds in self.executor.timings().items():
            self._spent[name] = self._spent.get(name, 0.0) + seconds
        self._open()

    def _open(self) -> None:
        self.executor.open(self.members, self.boundary.env.interface, self.run.mode, self.cfg)

    def _checkpoint(self) -> None:
        """Write a checkpoint in the middle of the run, if that is possible."""
        assert self.checkpointer is not None
        try:
            self.save()
        except CheckpointWriteError as error:
            self.checkpointer.forgive(error)

    def save(self, path: Path | None = None) -> Path:
        """Write a checkpoint, between two timesteps; metrics are written first.

        With ``on_member_failure="continue"`` a member that can't give its state fails.

        Args:
            path: Its folder; ``None``: the next one of the run.

        Returns:
            Its folder.

        Raises:
            CheckpointWriteError: It could not be written.
            WorkerError: A member could not give its state.
        """
        self.write_metrics()
        if path is not None:
            capture = self.capture()
            write_checkpoint(path, self._write_members, capture.state, capture.manifest)
            return path
        assert self.checkpointer is not None
        path = self.checkpointer.write(self.capture(), self._write_members)
        self._saved_at = self.recorder.timestep
        self.recorder.checkpoint_saved()
        registry().emit("coterie_checkpoint_saved", run=self.run, path=path)
        return path

    def _write_members(self, folder: Path) -> dict[int, State | None]:
        while True:
            active = [member for member in self.members if member.active]
            try:
                streams = self.executor.save(active, folder)
            except WorkerError as error:
                self.fail(self.members[error.agent_index], error)
                continue
            self._someone_left()  # an executor may have frozen members by itself
            stopped = [member for member in self.members if member.status == "stopped"]
            for member in self.members:
                if member.status == "failed":
                    member_file(folder, member.name).unlink(missing_ok=True)
            return streams | save_members(stopped, folder)

    def fail(self, member: Member, error: WorkerError) -> None:
        """Freeze a member, between two timesteps; the others go on as if nothing were.

        Raises:
            WorkerError: Failures end the run.
        """
        if self.cfg.on_member_failure != "continue":
            raise error
        member.status, member.failure = "failed", error
        self._someone_left()
        self.executor.settle(self.members)
        self._open_again()

    def capture(self) -> Capture:
        """Take everything down that the run goes on from, but for the agents."""
        recorder = self.recorder
        return Capture(
            trainer=self.run.trainer,
            position=Position(
                timestep=recorder.timestep,
                first_timestep=self.run.first_timestep,
                timesteps=self.run.timesteps,
                resets=self.resets,
                seconds=self.earlier + recorder.wall_time,
                run_seconds=recorder.run_seconds,
            ),
            members=self.members,
            boundary=self.boundary,
            tracker=self.tracker,
            loggers=self.loggers.position(),
            best={} if self.checkpointer is None else self.checkpointer.best,
            stopper={} if self.stopper is None else self.stopper.state_dict(),
            controllers=self.controllers.state_dict(),
        )

    def _draw(self) -> None:
        """Let the environment draw itself, where anybody wants to see it."""
        wanted = not self.cfg.headless or self.on_picture is not None
        if not wanted or self.recorder.timestep % self.cfg.render_interval:
            return
        picture = self.boundary.env.render()
        if self.on_picture is not None and not self.on_picture(picture):
            self.on_picture = None

    @contextmanager
    def _captions(self) -> Iterator[None]:
        """Let the environment's pictures show the members' names, unless they have others."""
        env = self.boundary.env
        if (self.cfg.headless and self.on_picture is None) or env.captions:
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
        with closing(self.recorder):  # also where a second signal breaks this off
            self.controllers.finish()
            return self._sum_up(error, interrupted, self._bring_home(error))

    def _sum_up(
        self, error: BaseException | None, interrupted: bool, troubles: list[Exception]
    ) -> Summary:
        trouble = error or (troubles[0] if troubles else None)
        interrupted = interrupted or isinstance(error, KeyboardInterrupt)
        status = "interrupted" if interrupted else "failed" if trouble else "finished"
        word = status if status != "finished" else _STATUS[self.run.mode]
        summary = self.recorder.summary(word, self._timings())
        # The recorder comes last: a logger may have to wait for its service.
        books = [partial(self._write, status, summary), partial(self.recorder.finish, summary)]
        if self.checkpointer is not None:  # last of all: it copies what the others wrote
            hurried = isinstance(error, KeyboardInterrupt)
            books.append(partial(self.checkpointer.finish, hurried))
        troubles += _attempt(books)
        if error is not None:
            self._annotate(error, troubles)
        elif troubles:
            self._annotate(troubles[0], troubles[1:])
            raise troubles[0]
        return summary

    def _timings(self) -> dict[str, float]:
        """Seconds per part since the start of the run."""
        members = {
            f"members/{name}": self._spent.get(name, 0.0) + seconds
            for name, seconds in self.executor.timings().items()
        }
        return {"environment": self.clock.environment, "members": self.clock.members, **members}

    def _bring_home(self, error: BaseException | None) -> list[Exception]:
        """Do all that is still possible, whatever of it fails; return what failed.

        Nothing is saved after a second signal, which came in the middle of a step.
        """
        steps: list[Callable[[], Any]] = [lambda: self.executor.settle(self.members)]
        if error is None:
            steps.insert(0, lambda: self.recorder.write(self.executor.metrics()))
            if self.checkpointer is not None and self._saved_at != self.recorder.timestep:
                steps.insert(1, self.save)
        troubles = _attempt(steps)
        between = error is None and self.checkpointer is not None
        wanted = self.run.mode == "train" and not isinstance(error, KeyboardInterrupt)
        if self.directory is not None and wanted and not between:
            folder = self.directory.path / AGENTS
            members = [member for member in self.members if member.failure is None]
            troubles += _attempt([partial(self._save_agent, member, folder) for member in members])
        return troubles

    def _save_agent(self, member: Member, folder: Path) -> None:
        """Write what a member learned, in the middle of a timestep: a run can't go on from it."""
        try:
            save_member(folder, member, member.agent.state_dict())
            self._salvaged = folder
        except CoterieError:
            raise
        except Exception as error:
            failure = member_raised(member, "save", self.recorder.timestep, error)
            member.status, member.failure = "failed", failure
            if self.cfg.on_member_failure != "continue":
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
        if self._salvaged is not None:
            at = self.recorder.timestep
            error.add_note(f"what was learned until step {at} was saved: {self._salvaged}")
        if self.checkpointer is None or self.checkpointer.last is None:
            error.add_note("no checkpoint was written")
        else:
            error.add_note(f"last checkpoint: {self.checkpointer.last}")

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
