"""When a run writes checkpoints, what happens to those before, and to one that fails."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from attrs import evolve

from .._checkpoints.cfg import CheckpointCfg
from .._checkpoints.disk import remove_leftovers, replace_by_link
from .._checkpoints.fetching import fetch_run, holds_checkpoints
from .._checkpoints.folders import (
    CHECKPOINTS,
    committed,
    new_name,
    prune,
    remove_later,
    timestep_of,
)
from .._checkpoints.manifest import MEMBERS
from .._checkpoints.mirror import Mirror
from .._checkpoints.writing import write_checkpoint
from .._errors import CheckpointWriteError, ConfigError
from .._executors.saving import member_file, save_members
from .._runs.directory import RunDirectory, write_json
from .._runs.episodes import EpisodeTracker
from .._types import State
from .capture import Capture
from .cfg import TrainerCfg
from .members import Member

AGENTS, BEST = "agents", "best"
_PATIENCE = 3


def open_directory(
    run_dir: str | Path | None, resume: bool | str | Path, cfg: TrainerCfg
) -> RunDirectory | None:
    """Open the folder of a run; ``None`` where there shall be none.

    A run that is to go on, but is not here, is brought from its mirror, if it is there.

    Raises:
        ConfigError: The folder holds something else.
        CheckpointError: The mirror can't be read.
        PluginError: What the mirror's URL needs is not installed.
    """
    if run_dir is None:
        return None
    directory = RunDirectory(run_dir, again=resume is not False)
    mirror = cfg.checkpoints.mirror
    begun = (directory.path / "run.json").exists()
    if resume is not True or begun or mirror is None or not holds_checkpoints(mirror):
        return directory
    fetch_run(mirror, directory.path)
    return RunDirectory(run_dir, again=True)


def make_checkpointer(directory: RunDirectory | None, cfg: TrainerCfg) -> Checkpointer | None:
    """Make what writes the checkpoints of a run; ``None`` where there shall be none.

    Raises:
        ConfigError: Members that fail shall go back to checkpoints, or these are to be copied,
            but there are none; or where they are to be copied to is no place for them.
        PluginError: What the URL of the copies needs is not installed.
    """
    if directory is not None and cfg.checkpoints.keep > 0:
        return Checkpointer(directory.path, cfg.checkpoints, _make_mirror(directory, cfg))
    if directory is not None and cfg.checkpoints.mirror is not None:
        raise ConfigError("checkpoints.mirror copies checkpoints; keep at least 1")
    if cfg.on_member_failure == "resume":
        missing = "run_dir" if directory is None else "checkpoints.keep of at least 1"
        raise ConfigError(f'on_member_failure="resume" goes back to a checkpoint; give a {missing}')
    return None


def _make_mirror(directory: RunDirectory, cfg: TrainerCfg) -> Mirror | None:
    if cfg.checkpoints.mirror is None:
        return None
    mirror = Mirror(cfg.checkpoints.mirror, directory.path, cfg.checkpoints)
    mirror.require_own(directory.run_id)
    return mirror


class Checkpointer:
    """Writes the checkpoints of a run and keeps the right ones.

    Args:
        run: The run's folder.
        cfg: When, and which are kept.
        mirror: Copies them elsewhere; ``None``: nobody does.

    Attributes:
        best: The highest mean return of each member at a checkpoint so far, by name.
        last: The newest checkpoint that this object wrote; ``None``: none yet.
    """

    def __init__(self, run: Path, cfg: CheckpointCfg, mirror: Mirror | None = None) -> None:
        self.best: dict[str, float] = {}
        self.last: Path | None = None
        self._run, self._cfg, self._mirror = run, cfg, mirror
        self._folder = run / CHECKPOINTS
        self._failures = 0
        self._since = time.monotonic()

    def go_on_from(self, path: Path, best: Mapping[str, float]) -> None:
        """Take a checkpoint of this run as the last; remove what a kill kept from being removed.

        Args:
            path: The checkpoint.
            best: The highest mean returns until then, by member.
        """
        self.last, self.best = path, dict(best)
        newest = committed(self._folder)[-1:]
        if [found.name for found in newest] == [path.name]:
            prune(self._folder, self._cfg.keep)

    def owns(self, path: Path) -> bool:
        """Whether a checkpoint is one of this run's."""
        return path.resolve().parent == self._folder.resolve()

    def start(self, members: Sequence[Member], tracker: EpisodeTracker) -> None:
        """Tidy up when a run begins, or goes on; arguments as for :meth:`tidy_up`."""
        self.tidy_up(members, tracker)
        if self.last is not None and self._mirror is not None:
            self._mirror.go_on_from(self.last)
        self._failures = 0
        self._since = time.monotonic()

    def tidy_up(self, members: Sequence[Member], tracker: EpisodeTracker) -> None:
        """Do what a kill may have kept from being done.

        Somebody may have been killed while writing, or before the agents of the last checkpoint
        were brought where they are looked for; and what came after the checkpoint that the run
        goes on from is no part of it any more.

        Args:
            members: The population.
            tracker: Its episodes.
        """
        for folder in (self._folder, self._run / AGENTS, self._run / BEST):
            remove_leftovers(folder)
        if self.last is None:
            return
        remove_later(self.last)
        best = {}
        for member, episodes in zip(members, tracker.members, strict=True):
            value = episodes.mean_return
            if value is not None and self._missing(member.name, value):
                best[member.name] = value
        self._try_to_publish(self.last, best)

    def due(self, done: int, with_metrics: bool) -> bool:
        """Whether a checkpoint should be written; it counts as written for what is asked next.

        Args:
            done: Timesteps of the run that will be done then.
            with_metrics: Whether metrics are written then; time alone waits for that.
        """
        cfg = self._cfg
        if self._mirror is not None:
            if self._mirror.failed_for_good:
                return True  # to tell of it where the run can end
            self._mirror.tell()
        if cfg.interval is not None and done % cfg.interval == 0:
            return True
        late = cfg.minutes is not None and time.monotonic() - self._since >= cfg.minutes * 60
        if late and with_metrics:
            self._since = time.monotonic()
        return late and with_metrics

    def write(
        self, capture: Capture, write_members: Callable[[Path], Mapping[int, State | None]]
    ) -> Path:
        """Write a checkpoint, and remove those that are not kept.

        Args:
            capture: What to write, but for the agents.
            write_members: Writes those, as :meth:`Executor.save` does.

        Returns:
            Its folder.

        Raises:
            CheckpointWriteError: It could not be written; those before are as they were. Or it
                was, but an earlier one could not be copied elsewhere.
        """
        self._since = time.monotonic()
        best = self._better(capture)
        capture = evolve(capture, best=self.best | best)
        path = new_name(self._folder, capture.position.timestep)
        write_checkpoint(path, write_members, capture.state, capture.manifest)
        self._failures = 0
        kept = {name: v for name, v in best.items() if member_file(path / MEMBERS, name).exists()}
        self.best, self.last = self.best | kept, path
        if capture.position.timestep > capture.position.first_timestep:
            self._try_to_publish(path, kept)
        prune(self._folder, self._cfg.keep)
        if self._mirror is not None:
            self._mirror.tell()
            self._mirror.submit(path)
        return path

    def finish(self, hurried: bool) -> None:
        """Let the copies elsewhere be completed, when a run has ended and all of it is written.

        Args:
            hurried: Whether to leave it at what is there.

        Raises:
            CheckpointWriteError: They could not be, and that shall end the run.
        """
        if self._mirror is not None and hurried:
            self._mirror.leave()
        elif self._mirror is not None and self.last is not None:
            self._mirror.finish(self.last)

    def forgive(self, error: CheckpointWriteError) -> None:
        """Take note of a checkpoint that could not be written in the middle of a run.

        Raises:
            CheckpointWriteError: It was one too many.
        """
        self._failures += 1
        if self._cfg.strict or self._failures >= _PATIENCE:
            raise error
        _warn(
            f"{error}; training goes on, the next one is tried in time "
            f"({self._failures} of {_PATIENCE} failures that end the run)"
        )

    def _better(self, capture: Capture) -> dict[str, float]:
        """Find the members whose mean return is higher than at any checkpoint before."""
        found = {}
        for member, episodes in zip(capture.members, capture.tracker.members, strict=True):
            value = episodes.mean_return
            if member.active and value is not None and value > self.best.get(member.name, -1e308):
                found[member.name] = value
        return found

    def _missing(self, name: str, mean_return: float) -> bool:
        """Whether a member's best agent is that of the last checkpoint, and was not copied."""
        if not self._cfg.best or mean_return != self.best.get(name):
            return False
        about = member_file(self._run / BEST, name).with_suffix(".json")
        try:
            return bool(json.loads(about.read_bytes())["mean_return"] < mean_return)
        except (OSError, ValueError, KeyError, TypeError):
            return True

    def _try_to_publish(self, path: Path, best: Mapping[str, float]) -> None:
        try:
            self._publish(path, best)
        except OSError as error:  # what counts is there
            _warn(f"{path} is whole, but its agents could not be copied beside it: {error}")

    def _publish(self, path: Path, best: Mapping[str, float]) -> None:
        """Let the run's newest and best agents be found without looking into checkpoints."""
        for file in (path / MEMBERS).iterdir():
            replace_by_link(file, self._run / AGENTS / file.name)
        if not self._cfg.best:
            return
        for name, value in best.items():
            target = member_file(self._run / BEST, name)
            replace_by_link(member_file(path / MEMBERS, name), target)
            about = {"timestep": timestep_of(path), "mean_return": value}
            write_json(target.with_suffix(".json"), about)


def tidy_up(
    checkpointer: Checkpointer,
    directory: RunDirectory | None,
    members: Sequence[Member],
    tracker: EpisodeTracker,
) -> None:
    """Do for a run that is over what its last moments may have been too short for.

    A kill after its last checkpoint may have kept the agents from being brought where they are
    looked for. Nothing is done while somebody else writes to the run's folder.
    """
    assert directory is not None
    with suppress(CheckpointWriteError, OSError), directory.locked():
        checkpointer.tidy_up(members, tracker)


def save_at_rest(
    capture: Capture,
    path: Path | None,
    checkpointer: Checkpointer | None,
    directory: RunDirectory | None,
) -> Path:
    """Write a checkpoint of the agents as they are here, while no run is under way.

    Args:
        capture: What to write, but for the agents.
        path: Its folder; ``None``: the next one of the run, which the others then belong to.
        checkpointer: Writes those of the run.
        directory: The run.

    Raises:
        CheckpointWriteError: It could not be written.
    """
    write_members = partial(save_members, capture.members)
    if path is not None:
        write_checkpoint(path, write_members, capture.state, capture.manifest)
        return path
    assert directory is not None
    assert checkpointer is not None
    with directory.locked():
        return checkpointer.write(capture, write_members)


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)
