"""The trainer: a population, an environment, and runs of the one loop."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

from attrs import evolve

from .._agents.interface import Agent
from .._checkpoints.folders import find_checkpoint
from .._checkpoints.reading import Checkpoint, open_checkpoint
from .._config.structure import structure, unstructure
from .._controllers.build import ControllerChoice, make_controllers
from .._controllers.group import Controllers
from .._envs.boundary import Boundary
from .._envs.closing import close_at_exit
from .._envs.interface import VectorEnv
from .._envs.recipe import EnvRecipe
from .._envs.team_boundary import make_boundary
from .._errors import ConfigError, WorkerError
from .._executors.interface import Executor, Mode, Place
from .._loggers.build import check_loggers, make_loggers
from .._loggers.group import Loggers
from .._progress.choose import check_progress
from .._runs.counted import CountedEpisodes
from .._runs.episodes import EpisodeTracker
from .._runs.records import RunInfo, Summary
from .._steering.steering import Steering
from .capture import Capture, Position
from .cfg import TrainerCfg
from .checkpointing import make_checkpointer, open_directory, save_at_rest, tidy_up
from .evaluation import Evaluation, plan_evaluation, training_kept
from .facts import describe, run_facts, run_info
from .interrupts import Interrupts
from .life import Life
from .members import Member
from .population import make_members
from .restoring import checkpoint_to_resume, position_of, restore, warn_of_differences
from .seeds import reset_seed
from .session import Session
from .standing import Standing
from .stopping import Stopper

_log = logging.getLogger("coterie")

LoggerChoice: TypeAlias = str | tuple[str, Mapping[str, Any]]


class Trainer(abc.ABC):
    """Trains and evaluates a population in one vectorised environment.

    A subclass says where the members live: it implements :meth:`make_executor`, and may have a
    configuration class of its own. The interaction itself is written once, here in core.

    Args:
        env: The environment.
        agents: One agent, or a list; each is given a name if it has none.
        scopes: Number of instances of each agent, in order; ``None``: equal scopes, the
            remainder goes to the last. The list is not changed.
        cfg: An instance of :attr:`config_class`, a mapping of its fields, or ``None``.
        run_dir: Folder that runs are written to, new or empty, unless ``resume`` is given;
            ``None``: nothing is written.
        loggers: More places for metrics: names of logger plugins or ``(name, settings)`` pairs.
            With a ``run_dir``, ``"csv"`` is always among them.
        experiment: The experiment that all this was made from, to be written beside the run.
        resume: Whether to go on with the run that ``run_dir`` holds, if it has one, from its
            newest checkpoint; or path or URL of a checkpoint, or of another run, to go on from.
        controllers: What acts on members between two timesteps: names of controller plugins,
            ``(name, settings)`` pairs, or :class:`~coterie.Controller` objects.

    Raises:
        ConfigError: Something does not fit; nothing was started or written.
        CheckpointError: The checkpoint can't be read, or is another population's.
    """

    kind: ClassVar[str] = "trainer"
    """Name of the trainer, as its plugin calls it."""

    config_class: ClassVar[type[TrainerCfg]] = TrainerCfg
    """attrs class of the configuration."""

    equal_to_sequential: ClassVar[bool] = False
    """Whether it promises the bits that ``sequential`` gives; ``coterie doctor`` then looks."""

    def __init__(
        self,
        *,
        env: VectorEnv,
        agents: Agent | Sequence[Agent],
        scopes: Sequence[int] | None = None,
        cfg: TrainerCfg | Mapping[str, Any] | None = None,
        run_dir: str | Path | None = None,
        loggers: Sequence[LoggerChoice] = (),
        experiment: Any = None,
        resume: bool | str | Path = False,
        controllers: Sequence[ControllerChoice] = (),
    ) -> None:
        if not isinstance(env, VectorEnv):
            raise ConfigError(
                f"env is a {type(env).__name__}, not a coterie VectorEnv; "
                "make one with coterie.make_env or coterie.wrap_env"
            )
        self.env = env
        self.cfg: Any = structure(self.config_class, cfg, source="cfg")
        self.check_settings()
        self.members: tuple[Member, ...] = make_members(env, agents, scopes)
        self.experiment = experiment
        self.directory = open_directory(run_dir, resume, self.cfg)
        check_progress(self.cfg.progress)
        self._loggers = check_loggers(loggers, self.directory is not None)
        self._steering = Steering()
        self._controllers = Controllers(make_controllers(controllers, self.members), self._steering)
        self._boundary = self._make_boundary()
        self._tracker = self._new_tracker()
        self._standing = Standing()
        self._life = Life()
        self._executor: Place | None = None
        self._stopper = Stopper(self.cfg.stop)
        self._checkpointer = make_checkpointer(self.directory, self.cfg)
        self._log_positions: dict[str, Any] | None = None
        if resume is not False:
            self._resume_from(resume)
        if self.cfg.close_environment_at_exit:
            close_at_exit(env)

    def check_settings(self) -> None:
        """Check what the class of the configuration can't, when the trainer is made.

        Raises:
            ConfigError: A setting is wrong.
        """

    @classmethod
    def make_environment(cls, recipe: EnvRecipe, num_envs: int) -> VectorEnv:
        """Make the environment of an experiment, as this trainer wants it; errors as for making."""
        return recipe.make(num_envs)

    @abc.abstractmethod
    def make_executor(self) -> Place:
        """Make the place where the members will live; called once, before the first run."""

    @classmethod
    def make_inner_executor(cls) -> Executor:
        """Make an executor for the members of one worker process of another trainer.

        Such an executor works in the process that it is made in. It is given the members of that
        process and tensors of their instances alone, with ``on_member_failure="continue"``, and
        a configuration of :attr:`config_class`.

        Raises:
            ConfigError: This trainer can't work there, as most can't.
        """
        raise ConfigError(f"the trainer {cls.kind!r} can't run inside worker processes")

    @classmethod
    def make_island_executor(cls, cfg: Any) -> Place:
        """Make the place of the members of one island, from a :attr:`config_class`.

        Raises:
            ConfigError: This trainer can't work there.
        """
        return cls.make_inner_executor()

    @property
    def agents(self) -> list[Agent]:
        """The agents, in order of their scopes: the caller's own objects."""
        return [member.agent for member in self.members]

    def train(self) -> Summary:
        """Train for ``cfg.timesteps`` timesteps.

        Called again, it goes on: with the same episodes where nobody else used the environment,
        otherwise, and after a run that raised, from a reset. A member that failed takes part
        again. After :meth:`resume` it does what was left of the run.

        Returns:
            How it ended, a row per member.

        Raises:
            WorkerError: A member failed and ``on_member_failure`` is ``"raise"``.
            EnvContractError: The environment returned something else than it promised.
            CheckpointWriteError: Checkpoints could not be written, the last one or several in
                a row.
            TrainingInterrupted: SIGINT or SIGTERM came; the timestep was finished.
            TrainerStateError: The trainer is running or closed.
        """
        with self._running():
            return self._complete(self._train_session())

    def save(self, path: str | Path | None = None) -> Path:
        """Write a checkpoint, from which :meth:`resume` goes on exactly here.

        Args:
            path: Its folder, which must not exist; ``None``: a new one below ``checkpoints/`` in
                the run's folder.

        Returns:
            The folder.

        Raises:
            CheckpointWriteError: It could not be written.
            ConfigError: There is no path, and no folder of the run.
            TrainerStateError: The trainer is running or closed.
        """
        self._check_path(path)
        with self._running():
            return self._save(path)

    def _check_path(self, path: str | Path | None) -> None:
        if path is None and self._checkpointer is None:
            raise ConfigError("give the path of the checkpoint: this trainer keeps none itself")

    def resume(self, path: str | Path | None = None, *, timesteps: int | None = None) -> int:
        """Take over a checkpoint; the next :meth:`train` goes on from there.

        Agents, environment, counters and random numbers are where they were, and the run that
        was under way is completed. Where the environment can't save its state, episodes start
        anew, which a warning tells.

        Args:
            path: Folder of a checkpoint, or of a run, whose newest one is taken, or the URL of
                one; ``None``: this trainer's run.
            timesteps: Where the count of timesteps shall end; ``None``: where it was to.

        Returns:
            Timesteps done.

        Raises:
            CheckpointError: There is none, it can't be read, or is another population's;
                nothing was changed.
            ConfigError: There is neither a path nor a folder of the run, or the checkpoint is
                beyond ``timesteps`` already.
            TrainerStateError: The trainer is running or closed.
        """
        if path is None and self.directory is None:
            raise ConfigError("give the path of a checkpoint: this trainer has no run_dir")
        with self._running():
            where = self.directory.path if path is None and self.directory else str(path)
            self._take_over(find_checkpoint(where), timesteps)
        return self.timestep

    @property
    def timestep(self) -> int:
        """Timesteps of training that were done, over all runs."""
        return self._standing.timestep

    @property
    def steering(self) -> Steering:
        """What tells a run that is under way what to do, from any thread."""
        return self._steering

    @property
    def unfinished(self) -> bool:
        """Whether a run was resumed that has timesteps left, which ``train()`` will do."""
        return self._standing.resumed is not None

    def eval(
        self,
        *,
        episodes: int | None = None,
        on_picture: Callable[[Any], bool] | None = None,
    ) -> Summary:
        """Evaluate for ``cfg.timesteps`` timesteps, from a reset; nothing is learned.

        Members take their mean actions unless ``cfg.stochastic_evaluation``. No file of the
        training is touched; with a ``run_dir`` the results go to ``evaluations/``.

        Args:
            episodes: Number of episodes per member. They are shared out to the instances before
                the first step, and the first ones of each instance count: whatever ends first
                would be the short ones. The evaluation ends when all are there, at the latest
                after ``cfg.timesteps`` timesteps; ``None``: it takes all of these.
            on_picture: Called with what the environment's ``render()`` gives, every
                ``cfg.render_interval`` timesteps, until it returns ``False``.

        Returns:
            How it ended, a row per member; with ``episodes``, each has an ``evaluation``.

        Raises:
            ConfigError: ``episodes`` is not a number of at least 1.
            WorkerError: A member failed and ``on_member_failure`` is ``"raise"``.
            EnvContractError: The environment returned something else than it promised.
            TrainingInterrupted: SIGINT or SIGTERM came.
            TrainerStateError: The trainer is running or closed.
        """
        wanted = plan_evaluation(self.members, episodes, on_picture)
        with self._running(), training_kept(self._boundary, self.members):
            return self._complete(self._eval_session(wanted))

    def close(self) -> None:
        """Give back what the executor holds; agents and environment stay. Idempotent.

        Raises:
            TrainerStateError: The trainer is running.
        """
        self._life.require_rest()
        self._close_executor()
        self._life.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return describe(type(self).__name__, self.env, self.members)

    def _complete(self, session: Session) -> Summary:
        retries = 0
        with Interrupts() as interrupts:
            while True:
                try:
                    for _ in session.steps(interrupts.requested):
                        pass
                    break
                except BaseException as error:
                    self._end(session, error)
                    if not self._goes_back(session, error, retries):
                        raise
                    retries += 1
                    session = self._train_session()
            summary = self._end(session, None, interrupts.requested())
        self._raise_interrupt(interrupts, session)
        return summary

    def _goes_back(self, session: Session, error: BaseException, retries: int) -> bool:
        """Return to the last checkpoint after the failure of a member, if that is wanted."""
        wanted = self.cfg.on_member_failure == "resume" and session.run.mode == "train"
        if not (wanted and isinstance(error, WorkerError) and self._checkpointer):
            return False
        last = self._checkpointer.last
        if last is None or retries >= self.cfg.checkpoints.retries:
            return False
        _log.warning("%s; going back to %s", error.args[0], last)
        self._take_over(open_checkpoint(last), None)
        return True

    def _raise_interrupt(self, interrupts: Interrupts, session: Session) -> None:
        if interrupts.received is None:
            return
        goes_on = self.experiment is not None and self._checkpointer is not None
        where = session.run.directory if session.run.mode == "train" else None
        interrupts.raise_received(session.recorder.timestep, where, goes_on=goes_on)

    def _end(
        self, session: Session, error: BaseException | None, interrupted: bool = False
    ) -> Summary:
        healthy = False
        try:
            summary = session.end(error, interrupted)
            healthy = error is None
        finally:
            if session.run.mode == "train":
                self._standing.note_end(session)
                self._log_positions = session.loggers.ended_at
            if error is not None:
                session.boundary.abandon()
            if not healthy:
                self._close_executor()
        return summary

    def _train_session(self) -> Session:
        cut = not self._boundary.live
        resumed = self._standing.take_resumed()
        if resumed is None:
            self._stopper.load_state_dict({})
            self._controllers.load_state_dict({})
        for member in self.members if resumed is None else ():
            if not member.active and not cut:
                member.agent.episodes_cut()
            member.status, member.failure, member.reason = "active", None, ""
        if cut:
            self._boundary.reset(reset_seed(self.env, self.members, "train", self._standing.resets))
            self._tracker.forget_unfinished()
            self._standing.resets += 1
        try:
            return self._session("train", self._boundary, self._tracker, cut, resumed)
        except BaseException:
            self._standing.resumed = resumed  # still to be done
            raise

    def _eval_session(self, wanted: Evaluation | None = None) -> Session:
        boundary = self._make_boundary()
        boundary.reset(reset_seed(self.env, self.members, "eval"))
        tracker = self._new_tracker(None if wanted is None else wanted.counted)
        session = self._session("eval", boundary, tracker, False)
        if wanted is not None:
            wanted.watch(session)
        return session

    def _session(
        self,
        mode: Mode,
        boundary: Boundary,
        tracker: EpisodeTracker,
        cut: bool,
        resumed: Position | None = None,
    ) -> Session:
        first = self.timestep if mode == "train" else 0
        stop = first + self.cfg.timesteps
        if resumed is not None:
            first, stop = resumed.first_timestep, resumed.timesteps
        run = run_info(mode, self.kind, self.env, self.members, (first, stop), self.directory)
        if self.directory is not None and mode == "train":
            at = None if resumed is None else resumed.timestep
            facts = run_facts(self.env, self.cfg, self._controllers.all)
            self.directory.start(run, facts, unstructure(self.experiment), at)
            if self._checkpointer is not None:
                self._checkpointer.start(self.members, self._tracker)
        if self._executor is None:
            self._executor = self.make_executor()
        return Session(
            run=run,
            members=self.members,
            cfg=self.cfg,
            executor=self._executor,
            boundary=boundary,
            tracker=tracker,
            cut=cut,
            loggers=self._open_loggers(run) if mode == "train" else Loggers(),
            directory=self.directory,
            earlier=self._standing.seconds if mode == "train" else 0.0,
            resets=self._standing.resets,
            checkpointer=self._checkpointer if mode == "train" else None,
            resumed=resumed,
            stopper=self._stopper if mode == "train" and self._stopper.needed else None,
            controllers=self._controllers if mode == "train" else Controllers(),
        )

    def _open_loggers(self, run: RunInfo) -> Loggers:
        try:
            positions, self._log_positions = self._log_positions, None
            return make_loggers(self._loggers, run, positions)
        except BaseException:
            if self.directory is not None:
                self.directory.mark("failed")
            raise

    def _resume_from(self, resume: bool | str | Path) -> None:
        """Go on as the constructor's argument says; a run without a checkpoint begins."""
        if (found := checkpoint_to_resume(resume, self.directory)) is not None:
            self._take_over(found, None)

    def _take_over(self, checkpoint: Checkpoint, timesteps: int | None) -> None:
        manifest = checkpoint.manifest
        if timesteps is not None and timesteps <= manifest.timestep:
            raise ConfigError(
                f"timesteps={timesteps}, but {manifest.timestep} are done already in "
                f"{checkpoint.label}; give more"
            )
        parts = self._boundary, self._tracker, self._stopper, self._controllers
        state = restore(checkpoint, self.members, *parts)
        warn_of_differences(manifest)
        position = position_of(manifest, state)
        if timesteps is not None:
            position = evolve(position, timesteps=timesteps)
        self._standing.take_over(position)
        if self._checkpointer is not None and self._checkpointer.owns(checkpoint.path):
            self._checkpointer.go_on_from(checkpoint.path, state["best"])
            self._log_positions = state["loggers"]
            if position.timestep >= position.timesteps:  # no run will tidy up
                tidy_up(self._checkpointer, self.directory, self.members, self._tracker)

    def _save(self, path: str | Path | None) -> Path:
        """Write a checkpoint of the agents here, while no run is under way."""
        capture = Capture(
            trainer=self.kind,
            position=self._standing.position(),
            members=self.members,
            boundary=self._boundary,
            tracker=self._tracker,
            loggers=self._log_positions or {},
            best={} if self._checkpointer is None else self._checkpointer.best,
            stopper=self._stopper.state_dict(),
            controllers=self._controllers.state_dict(),
        )
        where = None if path is None else Path(path)
        return save_at_rest(capture, where, self._checkpointer, self.directory)

    def _make_boundary(self) -> Boundary:
        return make_boundary(self.env, self.cfg.non_finite, self.cfg.debug)

    def _new_tracker(self, counted: Sequence[CountedEpisodes] | None = None) -> EpisodeTracker:
        scopes = [member.scope for member in self.members]
        actors = self.env.interface.actors
        return EpisodeTracker(scopes, self.env.num_envs, self.env.device, actors, counted)

    def _close_executor(self) -> None:
        if self._executor is not None:
            executor, self._executor = self._executor, None
            executor.close()

    def _running(self) -> AbstractContextManager[None]:
        return self._life.running()
