"""The trainer: a population, an environment, and runs of the one loop."""

from __future__ import annotations

import abc
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeAlias

import torch

from .._agents.interface import Agent
from .._config.structure import structure, unstructure
from .._envs.boundary import Boundary
from .._envs.closing import close_at_exit
from .._envs.interface import VectorEnv
from .._envs.team_boundary import make_boundary
from .._errors import ConfigError, TrainerStateError, TrainingInterrupted
from .._executors.interface import Executor, Mode
from .._loggers.build import check_loggers, make_loggers
from .._loggers.group import Loggers
from .._runs.directory import RunDirectory
from .._runs.episodes import EpisodeTracker
from .._runs.records import RunInfo, Summary
from .cfg import TrainerCfg
from .interrupts import Interrupts
from .members import Member
from .population import make_members, member_info
from .seeds import reset_seed
from .session import Session

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
        run_dir: Folder that runs are written to, new or empty; ``None``: nothing is written.
        loggers: More places for metrics: names of logger plugins or ``(name, settings)`` pairs.
            With a ``run_dir``, ``"csv"`` is always among them.
        experiment: The experiment that all this was made from, to be written beside the run.

    Raises:
        ConfigError: Something does not fit; nothing was started or written.
    """

    kind: ClassVar[str] = "trainer"
    """Name of the trainer, as its plugin calls it."""

    config_class: ClassVar[type[TrainerCfg]] = TrainerCfg
    """attrs class of the configuration."""

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
        self.directory = None if run_dir is None else RunDirectory(run_dir)
        self._loggers = check_loggers(loggers, self.directory is not None)
        self.timestep = 0
        self._boundary = make_boundary(env, self.cfg.non_finite, self.cfg.debug)
        self._tracker = self._new_tracker()
        self._resets = 0
        self._seconds = 0.0
        self._state: Literal["idle", "running", "closed"] = "idle"
        self._executor: Executor | None = None
        if self.cfg.close_environment_at_exit:
            close_at_exit(env)

    def check_settings(self) -> None:
        """Check what the class of the configuration can't, when the trainer is made.

        Raises:
            ConfigError: A setting is wrong.
        """

    @abc.abstractmethod
    def make_executor(self) -> Executor:
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

    @property
    def agents(self) -> list[Agent]:
        """The agents, in order of their scopes: the caller's own objects."""
        return [member.agent for member in self.members]

    def train(self) -> Summary:
        """Train for ``cfg.timesteps`` timesteps.

        Called again, it goes on: with the same episodes where nobody else used the environment,
        otherwise, and after a run that raised, from a reset. A member that failed takes part
        again.

        Returns:
            How it ended, a row per member.

        Raises:
            WorkerError: A member failed and ``on_member_failure`` is ``"raise"``.
            EnvContractError: The environment returned something else than it promised.
            TrainingInterrupted: SIGINT or SIGTERM came; the timestep was finished.
            TrainerStateError: The trainer is running or closed.
        """
        with self._running():
            return self._complete(self._train_session())

    def eval(self) -> Summary:
        """Evaluate for ``cfg.timesteps`` timesteps, from a reset; nothing is learned.

        Members take their mean actions unless ``cfg.stochastic_evaluation``. No file of the
        training is touched; with a ``run_dir`` the results go to ``evaluations/``.

        Returns:
            How it ended, a row per member.

        Raises:
            WorkerError: A member failed and ``on_member_failure`` is ``"raise"``.
            EnvContractError: The environment returned something else than it promised.
            TrainingInterrupted: SIGINT or SIGTERM came.
            TrainerStateError: The trainer is running or closed.
        """
        with self._running(), self._training_kept():
            return self._complete(self._eval_session())

    def close(self) -> None:
        """Give back what the executor holds; agents and environment stay. Idempotent.

        Raises:
            TrainerStateError: The trainer is running.
        """
        if self._state == "running":
            raise TrainerStateError("this trainer is running; close it when the run has ended")
        self._close_executor()
        self._state = "closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        lines = [f"{type(self).__name__} on {self.env.name} ({self.env.num_envs} instances)"]
        for member in self.members:
            lines.append(
                f"  {member.name}: {member.agent.kind}, {member.num_envs} instances "
                f"({member.scope.start} to {member.scope.stop - 1}), seed {member.seed}, "
                f"{member.device}, {member.status}"
            )
        return "\n".join(lines)

    def _complete(self, session: Session) -> Summary:
        with Interrupts() as interrupts:
            try:
                for _ in session.steps(interrupts.requested):
                    pass
            except BaseException as error:
                self._end(session, error)
                raise
            summary = self._end(session, None, interrupts.requested())
        self._raise_interrupt(interrupts, session)
        return summary

    def _raise_interrupt(self, interrupts: Interrupts, session: Session) -> None:
        if interrupts.received is None:
            return
        saved = self.directory is not None and session.run.mode == "train"
        where = f"; saved to {self.directory.path}" if saved and self.directory else ""
        message = (
            f"interrupted by {interrupts.received} after step {session.recorder.timestep}{where}"
        )
        _log.warning(message)  # an exception that ends the program quietly shows no text
        raise TrainingInterrupted(message, interrupts.received)

    def _end(
        self, session: Session, error: BaseException | None, interrupted: bool = False
    ) -> Summary:
        healthy = False
        try:
            summary = session.end(error, interrupted)
            healthy = error is None
        finally:
            if session.run.mode == "train":
                self.timestep = session.recorder.timestep
                self._seconds += session.recorder.wall_time
            if error is not None:
                session.boundary.abandon()
            if not healthy:
                self._close_executor()
        return summary

    def _train_session(self) -> Session:
        cut = not self._boundary.live
        for member in self.members:
            if member.failure is not None and not cut:
                member.agent.episodes_cut()
            member.status, member.failure = "active", None
        if cut:
            self._boundary.reset(reset_seed(self.env, self.members, "train", self._resets))
            self._tracker.forget_unfinished()
            self._resets += 1
        return self._session("train", self._boundary, self._tracker, cut)

    def _eval_session(self) -> Session:
        boundary = make_boundary(self.env, self.cfg.non_finite, self.cfg.debug)
        boundary.reset(reset_seed(self.env, self.members, "eval"))
        return self._session("eval", boundary, self._new_tracker(), False)

    def _session(
        self, mode: Mode, boundary: Boundary, tracker: EpisodeTracker, cut: bool
    ) -> Session:
        first = self.timestep if mode == "train" else 0
        run = RunInfo(
            mode=mode,
            trainer=self.kind,
            environment=self.env.name,
            num_envs=self.env.num_envs,
            first_timestep=first,
            timesteps=first + self.cfg.timesteps,
            members=tuple(member_info(member) for member in self.members),
            directory=None if self.directory is None else self.directory.path,
        )
        if self.directory is not None and mode == "train":
            self.directory.start(run, self._facts(), unstructure(self.experiment))
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
            earlier=self._seconds if mode == "train" else 0.0,
        )

    def _open_loggers(self, run: RunInfo) -> Loggers:
        try:
            return make_loggers(self._loggers, run)
        except BaseException:
            if self.directory is not None:
                self.directory.mark("failed")
            raise

    def _facts(self) -> dict[str, Any]:
        env = self.env
        return {
            "trainer_settings": unstructure(self.cfg),
            "torch_threads": torch.get_num_threads(),
            "environment": {
                "name": env.name,
                "num_envs": env.num_envs,
                "device": str(env.device),
                "seed": env.seed,
                "autoreset_mode": env.autoreset_mode.value,
                "independent_streams": env.independent_streams,
            },
        }

    def _new_tracker(self) -> EpisodeTracker:
        scopes = [member.scope for member in self.members]
        actors = self.env.interface.actors
        return EpisodeTracker(scopes, self.env.num_envs, self.env.device, actors)

    def _close_executor(self) -> None:
        if self._executor is not None:
            executor, self._executor = self._executor, None
            executor.close()

    @contextmanager
    def _running(self) -> Iterator[None]:
        if self._state != "idle":
            raise TrainerStateError(
                f"this trainer is {self._state}"
                + ("; make a new one" if self._state == "closed" else "")
            )
        self._state = "running"
        try:
            yield
        finally:
            if self._state == "running":
                self._state = "idle"

    @contextmanager
    def _training_kept(self) -> Iterator[None]:
        """Put training episodes aside during an evaluation, where the environment can do that."""
        if not (self._boundary.live and self.env.saves_state):
            yield
            return
        state = self.env.state_dict()
        try:
            yield
        finally:
            self.env.load_state_dict(state)
            self._boundary.claim()
