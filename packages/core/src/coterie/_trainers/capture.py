"""Everything that a run goes on from, but for the members' agents."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from attrs import frozen

from .._checkpoints.manifest import EnvironmentRecord, FileRecord, Manifest, MemberRecord
from .._envs.boundary import Boundary
from .._envs.interface import VectorEnv
from .._errors import WorkerError
from .._runs.directory import finite, installed_versions
from .._runs.episodes import EpisodeTracker
from .._types import State
from .members import Member
from .population import member_info


@frozen(kw_only=True)
class Position:
    """How far a trainer is.

    Attributes:
        timestep: Timesteps done, in all runs.
        first_timestep: Where the count of the run starts that is under way, or was the last.
        timesteps: Where it ends.
        resets: How often the environment was reset for training.
        seconds: Seconds of training, in all runs.
        run_seconds: Seconds of the run.
    """

    timestep: int
    first_timestep: int
    timesteps: int
    resets: int
    seconds: float
    run_seconds: float

    @property
    def unfinished(self) -> bool:
        """Whether the run has timesteps left."""
        return self.timestep < self.timesteps


@frozen(kw_only=True)
class Capture:
    """A trainer between two timesteps.

    Attributes:
        trainer: Name of the trainer.
        position: How far it is.
        members: The population.
        boundary: The environment, and what the next actions answer.
        tracker: Counts episodes.
        loggers: Where each logger stands, by name.
        best: The highest mean return of each member so far, by name.
        stopper: What decides about stopping members remembers.
        controllers: What controllers remember, and what they did.
    """

    trainer: str
    position: Position
    members: Sequence[Member]
    boundary: Boundary
    tracker: EpisodeTracker
    loggers: Mapping[str, Mapping[str, Any]]
    best: Mapping[str, float]
    stopper: State
    controllers: State

    def inexact(self) -> tuple[str, ...]:
        """Say why a run that goes on from here is not bit for bit the uninterrupted one."""
        env, reasons = self.boundary.env, []
        if not env.saves_state:
            reasons.append(f"{env.name} can't save its state: episodes start anew")
        elif not self.boundary.live and self.position.resets:
            reasons.append("its episodes can't go on: they start anew")
        for member in self.members:
            if member.active and not member.agent.saves_everything:
                reasons.append(f"{member.name} leaves out a part of its state")
        devices = {env.device.type, *(member.device.type for member in self.members)}
        reasons += [f"the results of {name} differ in rounding" for name in devices - {"cpu"}]
        return tuple(reasons)

    def state(self, streams: Mapping[int, State | None]) -> State:
        """Return the state of everything but the agents.

        Args:
            streams: State of the members' process-wide generators, by index.
        """
        boundary, env = self.boundary, self.boundary.env
        exact = env.saves_state and boundary.live
        position = self.position
        return {
            "resets": position.resets,
            "seconds": position.seconds,
            "run_seconds": position.run_seconds,
            "boundary": boundary.state_dict() if exact else None,
            "environment": env.state_dict() if exact else None,
            "tracker": self.tracker.state_dict(),
            "members": [
                {
                    "status": member.status,
                    "note": member.note,
                    "failure": failure_state(member.failure),
                    "streams": streams.get(member.index, member.streams),
                }
                for member in self.members
            ],
            "loggers": {name: dict(place) for name, place in self.loggers.items()},
            "best": dict(self.best),
            "stopper": self.stopper,
            **({"controllers": self.controllers} if self.controllers else {}),
        }

    def manifest(self, files: Mapping[str, FileRecord]) -> Manifest:
        """Describe the checkpoint that consists of some files."""
        reasons = self.inexact()
        return Manifest(
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            timestep=self.position.timestep,
            first_timestep=self.position.first_timestep,
            timesteps=self.position.timesteps,
            exact=not reasons,
            inexact=reasons,
            trainer=self.trainer,
            torch_threads=torch.get_num_threads(),
            python=platform.python_version(),
            platform=platform.platform(),
            versions=installed_versions(),
            environment=environment_record(self.boundary.env),
            members=tuple(member_record(member) for member in self.members),
            files=dict(files),
        )


def environment_record(env: VectorEnv) -> EnvironmentRecord:
    """Describe an environment."""
    return EnvironmentRecord(
        name=env.name,
        num_envs=env.num_envs,
        device=str(env.device),
        observation_space=str(env.observation_space),
        action_space=str(env.action_space),
        state_space=str(env.state_space),
        autoreset_mode=env.autoreset_mode.value,
    )


def member_record(member: Member) -> MemberRecord:
    """Describe a member."""
    info = member_info(member)
    return MemberRecord(
        name=info.name,
        kind=info.kind,
        seed=info.seed,
        scope=info.scope,
        device=info.device,
        status=member.status,
        note=member.note,
        settings=json.dumps(finite(info.settings), sort_keys=True, default=str),
    )


def failure_state(failure: WorkerError | None) -> State | None:
    """Turn what happened to a member into plain values."""
    if failure is None:
        return None
    fields = {name: getattr(failure, name) for name in WorkerError.FIELDS}
    return {"class": type(failure).__name__, "message": str(failure.args[0]), **fields}


def failure_from(state: State | None) -> WorkerError | None:
    """Undo :func:`failure_state`."""
    if state is None:
        return None
    classes = {cls.__name__: cls for cls in WorkerError.__subclasses__()}
    fields = {name: state[name] for name in WorkerError.FIELDS}
    return classes.get(state["class"], WorkerError)(state["message"], **fields)
