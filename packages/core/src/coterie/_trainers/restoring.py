"""How a trainer takes over a checkpoint: all of it, or nothing."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from attrs import asdict

from .._checkpoints.folders import CHECKPOINTS, find_checkpoint, newest
from .._checkpoints.manifest import Manifest, MemberRecord
from .._checkpoints.reading import Checkpoint
from .._controllers.group import Controllers
from .._envs.boundary import Boundary
from .._errors import CheckpointError, CheckpointMismatch, ConfigError, WorkerError
from .._runs.directory import RunDirectory, installed_versions
from .._runs.episodes import EpisodeTracker
from .._types import State
from .capture import Position, environment_record, failure_from, member_record
from .members import Member
from .stopping import Stopper

_FIXED = ("name", "kind", "seed", "scope")
_TELLING = ("torch", "numpy", "gymnasium", "coterie-core", "coterie-agents", "coterie-envs")


def checkpoint_to_resume(
    resume: bool | str | Path, directory: RunDirectory | None
) -> Checkpoint | None:
    """Find the checkpoint that a trainer's ``resume`` means; ``None``: its run begins.

    Args:
        resume: Whether to go on with the trainer's own run, or where the checkpoint is.
        directory: The run; ``None``: there is none.

    Raises:
        CheckpointError: There is none, or it can't be read.
        ConfigError: There is no run to go on with.
    """
    if not isinstance(resume, bool):
        return find_checkpoint(resume)
    if directory is None:
        raise ConfigError("resume=True goes on with the run in run_dir; give a run_dir")
    return newest(directory.path / CHECKPOINTS)


def check_fit(
    manifest: Manifest, members: Sequence[Member], boundary: Boundary, where: object
) -> None:
    """Check that a checkpoint belongs to a population and an environment.

    Raises:
        CheckpointMismatch: It does not; every difference is listed.
    """
    found = [*_environment(manifest, boundary), *_population(manifest, members)]
    if found:
        raise CheckpointMismatch("\n  ".join([f"{where} belongs to another population:", *found]))


def _environment(manifest: Manifest, boundary: Boundary) -> Iterator[str]:
    saved, own = asdict(manifest.environment), asdict(environment_record(boundary.env))
    for name in own.keys() - {"device"}:
        if saved[name] != own[name]:
            yield f"environment, {name}: the checkpoint has {saved[name]}, here is {own[name]}"


def _population(manifest: Manifest, members: Sequence[Member]) -> Iterator[str]:
    saved = {record.name: record for record in manifest.members}
    own = {member.name: member_record(member) for member in members}
    for name in saved.keys() - own.keys():
        yield f"member {name!r} is in the checkpoint only"
    for name in own.keys() - saved.keys():
        yield f"member {name!r} is here only"
    for name in sorted(saved.keys() & own.keys()):
        for field in _FIXED:
            there, here = getattr(saved[name], field), getattr(own[name], field)
            if there != here:
                yield f"member {name!r}, {field}: the checkpoint has {there}, here is {here}"


def warn_of_differences(manifest: Manifest) -> None:
    """Warn where what was installed when a checkpoint was written is not what is now."""
    now = installed_versions()
    changes = [
        f"{name} was {manifest.versions[name]} and is {now.get(name, 'not installed')}"
        for name in _TELLING
        if name in manifest.versions and manifest.versions[name] != now.get(name)
    ]
    if manifest.torch_threads != torch.get_num_threads():
        changes.append(
            f"torch had {manifest.torch_threads} threads and has {torch.get_num_threads()}"
        )
    reasons = [*changes, *manifest.inexact]
    if reasons:
        warnings.warn(
            "the run goes on, but not bit for bit as if it had not been interrupted: "
            + "; ".join(reasons),
            RuntimeWarning,
            stacklevel=4,
        )


def restore(
    checkpoint: Checkpoint,
    members: Sequence[Member],
    boundary: Boundary,
    tracker: EpisodeTracker,
    stopper: Stopper,
    controllers: Controllers,
) -> State:
    """Give a trainer's parts their states from a checkpoint.

    Where the environment's state is there, the boundary goes on with its episodes; otherwise
    the next run starts with a reset.

    Returns:
        The state of the run, for what else is in it.

    Raises:
        CheckpointError: A file can't be read, or does not fit; nothing was changed.
    """
    check_fit(checkpoint.manifest, members, boundary, checkpoint.label)
    undo: list[Callable[[], None]] = []
    try:
        state = checkpoint.run_state()
        _load_agents(checkpoint, members, undo)
        _load_population(state["members"], members, undo)
        _load_surroundings(state, boundary, tracker, undo)
        position_of(checkpoint.manifest, state)
        undo.append(partial(stopper.load_state_dict, stopper.state_dict()))
        stopper.load_state_dict(state["stopper"])
        undo.append(partial(controllers.load_state_dict, copy.deepcopy(controllers.state_dict())))
        controllers.load_state_dict(state.get("controllers", {}))
        state["best"] = {name: float(value) for name, value in state["best"].items()}
        state["loggers"] = {name: dict(place) for name, place in state["loggers"].items()}
    except BaseException as error:
        for action in reversed(undo):
            with suppress(Exception):  # what refused its state has its own still
                action()
        if isinstance(error, CheckpointError) or not isinstance(error, Exception):
            raise
        raise CheckpointMismatch(
            f"{checkpoint.label} does not fit: {type(error).__name__}: {error}"
        ) from error
    return state


def _load_agents(
    checkpoint: Checkpoint, members: Sequence[Member], undo: list[Callable[[], None]]
) -> None:
    records = {record.name: record for record in checkpoint.manifest.members}
    for member in members:
        record = records[member.name]
        if record.file in checkpoint.manifest.files:
            state = checkpoint.agent_state(record)
            before = copy.deepcopy(member.agent.state_dict())
            undo.append(partial(member.agent.load_state_dict, before))
            _load_agent(member, record, state)


def _load_agent(member: Member, record: MemberRecord, state: State) -> None:
    try:
        member.agent.load_state_dict(state)
    except Exception as error:
        raise CheckpointMismatch(
            f"member {member.name!r}: {record.file} does not fit: {type(error).__name__}: {error}"
        ) from error


def _load_population(
    states: Sequence[State], members: Sequence[Member], undo: list[Callable[[], None]]
) -> None:
    for member, own in zip(members, states, strict=True):
        before = member.status, member.failure, member.reason, member.streams
        undo.append(partial(_set_status, member, *before))
        reason = str(own["note"]) if own["status"] == "stopped" else ""
        _set_status(member, own["status"], failure_from(own["failure"]), reason, own["streams"])


def _set_status(
    member: Member, status: Any, failure: WorkerError | None, reason: str, streams: State | None
) -> None:
    member.status, member.failure = status, failure
    member.reason, member.streams = reason, streams


def _load_surroundings(
    state: State, boundary: Boundary, tracker: EpisodeTracker, undo: list[Callable[[], None]]
) -> None:
    undo.append(partial(tracker.load_state_dict, copy.deepcopy(tracker.state_dict())))
    undo.append(_way_back(boundary))
    tracker.load_state_dict(state["tracker"])
    boundary.abandon()
    if state["environment"] is not None and boundary.env.saves_state:
        boundary.env.load_state_dict(state["environment"])
        boundary.load_state_dict(state["boundary"])


def _way_back(boundary: Boundary) -> Callable[[], None]:
    """Find out how to let an environment go on where it is; if that can't be, from a reset."""
    env = boundary.env
    if not (boundary.live and env.saves_state):
        return boundary.abandon
    before = copy.deepcopy((env.state_dict(), boundary.state_dict()))

    def go_back() -> None:
        env.load_state_dict(before[0])
        boundary.load_state_dict(before[1])

    return go_back


def position_of(manifest: Manifest, state: State) -> Position:
    """Tell how far the run of a checkpoint was."""
    return Position(
        timestep=manifest.timestep,
        first_timestep=manifest.first_timestep,
        timesteps=manifest.timesteps,
        resets=int(state["resets"]),
        seconds=float(state["seconds"]),
        run_seconds=float(state["run_seconds"]),
    )
