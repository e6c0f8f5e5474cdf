"""What watches a run: episodes, metrics, loggers, hooks and the progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .._progress.choose import make_progress
from .._progress.interface import MemberView, View
from .._registry.manager import registry
from .info_scalars import InfoScalars
from .records import MemberProgress, MemberSummary, MetricRow, RunInfo, Summary
from .settings import told_settings
from .time_parts import TimeParts

if TYPE_CHECKING:
    from .._agents.transition import Transition
    from .._executors.interface import Place
    from .._loggers.group import Loggers
    from .._trainers.capture import Position
    from .._trainers.cfg import TrainerCfg
    from .._trainers.members import Member
    from .episodes import EpisodeTracker


class Recorder:
    """Watches one run, from its first timestep to its summary.

    Args:
        run: What the run is.
        members: The population.
        tracker: Counts its episodes.
        cfg: The trainer's configuration.
        loggers: Where metrics go.
        earlier: Seconds that earlier runs of the same trainer took.
        timings: Tells the seconds per part since the start of the run; ``None``: not known.
        resumed: Where the run goes on that was begun before; ``None``: it begins.

    Attributes:
        timestep: Timesteps done.
        written: Whether metrics were written since the last timestep.
    """

    def __init__(
        self,
        run: RunInfo,
        members: Sequence[Member],
        tracker: EpisodeTracker,
        cfg: TrainerCfg,
        loggers: Loggers,
        earlier: float = 0.0,
        timings: Callable[[], Mapping[str, float]] | None = None,
        resumed: Position | None = None,
    ) -> None:
        self.run = run
        self.timestep = run.first_timestep if resumed is None else resumed.timestep
        self.written = True
        self._noted = False
        self._before = 0.0 if resumed is None else resumed.run_seconds
        self._members = members
        self._tracker = tracker
        self._loggers = loggers
        scopes = [member.scope for member in members]
        self._infos = InfoScalars(cfg.environment_info, scopes, run.num_envs, tracker.actors)
        self._interval = cfg.metrics_interval or max(1, cfg.timesteps // 200)
        self._earlier = earlier
        self._timings = timings
        self._time_parts = TimeParts(self.timestep)
        self._told: set[int] = set()
        self._newest: list[dict[str, float]] = [{} for _ in members]
        for member, episodes in zip(members, tracker.members, strict=True):
            episodes.closed = not member.active
        self._progress = make_progress(run, cfg.progress, cfg.disable_progressbar, self.timestep)
        self._started = time.monotonic()
        registry().emit("coterie_run_started", run=run)

    @property
    def wall_time(self) -> float:
        """Seconds since the run started, or went on."""
        return time.monotonic() - self._started

    @property
    def run_seconds(self) -> float:
        """Seconds that the run took, also before it went on."""
        return self._before + self.wall_time

    def due(self, timestep: int) -> bool:
        """Whether metrics are written when ``timestep`` timesteps are done."""
        done = timestep - self.run.first_timestep
        return done % self._interval == 0 and timestep < self.run.timesteps

    def note(self, transition: Transition) -> None:
        """Take note of what the environment did in the next timestep, ahead of :meth:`step`."""
        self._noted = True
        self._tracker.update(transition)
        if transition.infos:
            self._infos.update(transition.infos)

    def step(self, transition: Transition, executor: Place) -> None:
        """Take note of one timestep; write metrics when they are due."""
        if not self._noted:
            self.note(transition)
        self._noted = False
        self.timestep += 1
        self.written = False
        self._tell_failures()
        self._progress.step()
        if self._progress.due:
            self._show()
        if self.due(self.timestep):
            self.write(executor.metrics())

    def write(self, scalars: Sequence[Mapping[str, float]]) -> None:
        """Write metrics: episodes, what agents report, what the environment reports.

        Args:
            scalars: What each member's agent reports.
        """
        rows = []
        self.written = True
        infos = self._infos.take()
        for member, episodes in zip(self._members, self._tracker.members, strict=True):
            found = {**episodes.take_new(), **scalars[member.index], **infos[member.index]}
            if not member.active:
                found = {member.status: 1.0}
            self._newest[member.index] = found
            rows += [self._row(member, name, value) for name, value in found.items()]
        self.log(rows + self._time_rows())

    def progress(self, member: Member) -> MemberProgress:
        """Tell how far a member is; what is newest are the metrics that were written last."""
        episodes = self._tracker.members[member.index]
        return MemberProgress(
            member=self.run.members[member.index],
            timestep=self.timestep,
            env_steps=self.timestep * member.num_envs,
            run_seconds=self.run_seconds,
            episodes=episodes.count,
            mean_return=episodes.mean_return,
            mean_length=episodes.mean_length,
            scalars=dict(self._newest[member.index]),
        )

    def close_episodes(self, member: Member) -> None:
        """Count no more episodes of a member: from now on its scope acts at random."""
        self._tracker.members[member.index].closed = True

    def log(self, rows: Sequence[MetricRow]) -> None:
        """Hand rows to the loggers and to the hooks."""
        if rows:
            self._progress.metrics(rows)
            self._loggers.write(rows)
            registry().emit("coterie_metrics_ready", run=self.run, rows=rows)

    def summary(self, status: str, timings: Mapping[str, float]) -> Summary:
        """Sum the run up.

        Args:
            status: What became of the members that did not fail.
            timings: Seconds per part of the run; parts of a part have a ``/`` in their names.
        """
        seconds = max(self.run_seconds, 1e-9)
        steps = self.timestep - self.run.first_timestep
        settings = told_settings([member.agent.cfg for member in self._members])
        return Summary(
            mode=self.run.mode,
            timesteps=steps,
            wall_time=seconds,
            members=tuple(
                self._member_summary(member, own, status, steps, seconds)
                for member, own in zip(self._members, settings, strict=True)
            ),
            time_shares=self._shares(timings),
            directory=self.run.directory,
        )

    def finish(self, summary: Summary) -> None:
        """Close the bar and the loggers, and tell the hooks the results."""
        with ExitStack() as last:  # each is called, whatever another raises
            last.callback(registry().emit, "coterie_run_finished", run=self.run, summary=summary)
            last.callback(self._loggers.finish, summary)
            last.callback(self._progress.close)
            self._tell_failures()
            self._show()

    def close(self) -> None:
        """Close the bar and the loggers, also where nothing was finished. Idempotent."""
        with ExitStack() as last:
            last.callback(self._loggers.close)
            last.callback(self._progress.close)

    def checkpoint_saved(self) -> None:
        """Take note that the state after the last timestep was saved."""
        self._progress.checkpoint(self.timestep)

    def _show(self) -> None:
        members = [
            MemberView("failed" if member.failure is not None else member.status, own.mean_return)
            for member, own in zip(self._members, self._tracker.members, strict=True)
        ]
        timings = {} if self._timings is None else self._timings()
        self._progress.show(View(members=members, shares=self._shares(timings)))

    def _shares(self, timings: Mapping[str, float]) -> dict[str, float]:
        """Fraction of the time per part of the run, and of what is in none."""
        seconds = max(self.wall_time, 1e-9)
        shares = {name: value / seconds for name, value in timings.items()}
        known = sum(share for name, share in shares.items() if "/" not in name)
        return {**shares, "other": max(0.0, 1.0 - known)}

    def _row(self, member: Member | None, name: str, value: float) -> MetricRow:
        instances = self.run.num_envs if member is None else member.num_envs
        return MetricRow(
            timestep=self.timestep,
            env_steps=self.timestep * instances,
            wall_time=self._earlier + self.wall_time,
            member="" if member is None else member.name,
            name=name,
            value=float(value),
        )

    def _time_rows(self) -> list[MetricRow]:
        if self._timings is None:
            return []
        parts = self._time_parts.take(self._timings(), self.wall_time, self.timestep)
        return [self._row(None, name, value) for name, value in parts.items()]

    def _tell_failures(self) -> None:
        for member in self._members:
            if member.failure is not None and member.index not in self._told:
                self._told.add(member.index)
                self.close_episodes(member)
                registry().emit("coterie_member_failed", run=self.run, failure=member.failure)

    def _member_summary(
        self, member: Member, settings: dict[str, Any], status: str, steps: int, seconds: float
    ) -> MemberSummary:
        episodes = self._tracker.members[member.index]
        failure = member.failure
        return MemberSummary(
            name=member.name,
            kind=member.agent.kind,
            seed=member.seed,
            status=status if member.active else member.status,
            episodes=episodes.count,
            mean_return=episodes.mean_return,
            mean_length=episodes.mean_length,
            env_steps=steps * member.num_envs,
            steps_per_second=steps * member.num_envs / seconds,
            settings=settings,
            failure=None if failure is None else str(failure.args[0]),
            failed_in=None if failure is None else failure.phase,
            failed_at=None if failure is None else failure.timestep,
            stopped=member.reason if member.status == "stopped" else None,
            evaluation=episodes.results,
        )
