"""Agents of runs and checkpoints in one environment, each in a scope of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from .._checkpoints.reading import open_checkpoint
from .._config.files import read_mapping
from .._errors import CheckpointNotFound, ConfigError
from .._experiment.files import load_experiment
from .._experiment.spec import EnvironmentSpec, Experiment, MemberSpec
from .._nearest import did_you_mean
from .._scopes import resolve_scopes
from .sources import Source, labels

_LOOKS = ("render_mode", "render_height")  # settings that change pictures only


@frozen(kw_only=True)
class Entry:
    """One agent that is evaluated.

    Attributes:
        source: Where it is from.
        label: What the source is called.
        member: The member, as its run has it, with the size of its scope.
        name: Its name in the evaluation.
    """

    source: Source
    label: str
    member: MemberSpec
    name: str

    @property
    def file(self) -> Path:
        """The file of the trained agent."""
        return self.source.file(str(self.member.name))


@frozen(kw_only=True)
class Comparison:
    """What is evaluated.

    Attributes:
        entries: The agents, in order of scopes.
        experiment: The experiment that has them as members.
    """

    entries: tuple[Entry, ...]
    experiment: Experiment


def compare(
    sources: Sequence[Source], names: Sequence[str] | None = None, instances: int | None = None
) -> Comparison:
    """Put the agents of all sources into one environment.

    Args:
        sources: Where they are from, at least one.
        names: Members to take; ``None``: all that did not fail.
        instances: Number of instances of each; ``None``: as many as it was trained with.

    Raises:
        ConfigError: There is no such run or member, a source is given twice, or the
            environments differ.
        CheckpointNotFound: No member of a run saved anything.
        CheckpointError: A checkpoint is not whole.
        PluginError: Something that a run was made with is not installed, or broken.
    """
    experiments = [load_run(source.run) for source in sources]
    _check_environments(sources, experiments)
    groups = [
        _members(source, experiment)
        for source, experiment in zip(sources, experiments, strict=True)
    ]
    groups = _chosen(sources, groups, names)
    called = labels(sources)
    entries = tuple(
        Entry(
            source=source,
            label=label,
            member=member if instances is None else evolve(member, scope=instances),
            name=str(member.name) if len(sources) == 1 else f"{label} {member.name}",
        )
        for source, label, group in zip(sources, called, groups, strict=True)
        for member in group
    )
    _check_twice(entries)
    return Comparison(entries=entries, experiment=_merged(experiments[0], entries))


def load_run(run: Path, otherwise: str = "evaluate it there, with trainer.eval()") -> Experiment:
    """Read the experiment that a run was made from.

    Args:
        run: Folder of the run.
        otherwise: What to do with a run that a script made.

    Raises:
        ConfigError: There is no such run, or it was not made from an experiment.
    """
    if not run.is_dir():
        beside = [path.name for path in run.parent.iterdir()] if run.parent.is_dir() else []
        raise ConfigError(f"there is no run {run}{did_you_mean(run.name, beside)}")
    path = run / "experiment.json"
    if not path.exists():
        reason = (
            f"was made from objects in a script, not from an experiment; {otherwise}"
            if (run / "run.json").exists()
            else "holds no run"
        )
        raise ConfigError(f"{run} {reason}")
    return load_experiment(path)


def _members(source: Source, experiment: Experiment) -> list[MemberSpec]:
    """Members of a run that saved something, with the sizes of their scopes."""
    scopes = resolve_scopes(
        experiment.scopes, len(experiment.members), experiment.environment.num_envs
    )
    sized = [
        evolve(member, scope=scope.stop - scope.start)
        for member, scope in zip(experiment.members, scopes, strict=True)
    ]
    failed = _failed(source)
    lost = [
        str(member.name)
        for member in sized
        if member.name in failed and not source.file(str(member.name)).exists()
    ]
    if len(lost) == len(sized):
        raise CheckpointNotFound(
            f"every member of {source.path} failed in training; nothing was saved"
        )
    if lost:
        print(f"left out, failed in training: {', '.join(lost)}", file=sys.stderr)
    return [member for member in sized if member.name not in lost]


def _failed(source: Source) -> set[str]:
    """Names of members that failed in training, up to a checkpoint or to the end.

    Raises:
        CheckpointError: The checkpoint is not whole.
    """
    if source.checkpoint is not None:
        members = open_checkpoint(source.checkpoint).manifest.members
        return {member.name for member in members if member.status == "failed"}
    path = source.run / "summary.json"
    if not path.exists():
        return set()
    rows = read_mapping(path).get("members", [])
    return {row["name"] for row in rows if row.get("status") == "failed"}


def _chosen(
    sources: Sequence[Source],
    groups: Sequence[list[MemberSpec]],
    names: Sequence[str] | None,
) -> list[list[MemberSpec]]:
    """Take the members that were asked for, by name or by their file."""
    known = [str(member.name) for group in groups for member in group]
    for name in names or ():
        if name not in known:
            listed = ", ".join(dict.fromkeys(known))
            raise ConfigError(
                f"there is no member {name!r}{did_you_mean(name, known)} (members: {listed})"
            )
    found = []
    for source, group in zip(sources, groups, strict=True):
        wanted = [
            member
            for member in group
            if source.only in (None, member.name) and (names is None or member.name in names)
        ]
        if not wanted:
            raise ConfigError(f"{source.path} has none of the members that are to be evaluated")
        found.append(wanted)
    return found


def _check_environments(sources: Sequence[Source], experiments: Sequence[Experiment]) -> None:
    first = _plain(experiments[0].environment)
    problems = []
    for source, experiment in zip(sources[1:], experiments[1:], strict=True):
        other = _plain(experiment.environment)
        for key in dict.fromkeys([*first, *other]):
            if first.get(key, "not set") != other.get(key, "not set"):
                problems.append(
                    f"  {key}: {first.get(key, 'not set')} in {sources[0].path}, "
                    f"{other.get(key, 'not set')} in {source.path}"
                )
    if problems:
        raise ConfigError(
            "\n".join(["agents of different environments can't be compared:", *problems])
        )


def _plain(environment: EnvironmentSpec) -> dict[str, Any]:
    settings = environment.settings
    kept = {key: value for key, value in settings.items() if key not in _LOOKS}
    return {"id": environment.id, **{f"settings.{key}": value for key, value in kept.items()}}


def _check_twice(entries: Sequence[Entry]) -> None:
    seen: set[Path] = set()
    for entry in entries:
        if entry.file.resolve() in seen:
            raise ConfigError(f"{entry.source.path}: {entry.member.name!r} is given twice")
        seen.add(entry.file.resolve())


def _merged(first: Experiment, entries: Sequence[Entry]) -> Experiment:
    members = tuple(evolve(entry.member, name=entry.name) for entry in entries)
    num_envs = sum(member.scope or 0 for member in members)
    environment = evolve(first.environment, num_envs=num_envs)
    return evolve(first, members=members, environment=environment)
