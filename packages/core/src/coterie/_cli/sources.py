"""What ``coterie eval`` is pointed at: runs, checkpoints of runs, files of agents."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, frozen

from .._checkpoints.folders import CHECKPOINTS
from .._checkpoints.manifest import MANIFEST, MEMBERS
from .._errors import CheckpointCorrupt, CheckpointNotFound, ConfigError
from .._nearest import did_you_mean
from .._trainers.checkpointing import AGENTS, BEST

SUFFIX = ".safetensors"
_STEP = re.compile(r"step-0*(\d+(?:-\d+)?)")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9 ._=+,@-]+")
_LONGEST = 40


@frozen(kw_only=True)
class Source:
    """Trained agents on disk.

    Attributes:
        path: What was given.
        run: Folder of their run.
        agents: Folder of their files.
        part: Name of the checkpoint, or ``"best"``; ``None``: the run's last state.
        only: The one agent that was given; ``None``: all.
    """

    path: Path
    run: Path
    agents: Path
    part: str | None = None
    only: str | None = None

    @property
    def checkpoint(self) -> Path | None:
        """Folder of the checkpoint; ``None``: it is none."""
        return None if self.part in (None, BEST) else self.agents.parent

    def file(self, name: str) -> Path:
        """Where a member's trained agent is kept."""
        return self.agents / f"{name}{SUFFIX}"


def find_source(path: Path) -> Source:
    """Find the run and the agents' files that a path means.

    Args:
        path: A run, ``RUN/best``, ``RUN/checkpoints/STEP``, or a file in ``RUN/agents``,
            ``RUN/best`` or a checkpoint's folder ``members``. Whether the run is there is not
            looked at.

    Raises:
        CheckpointNotFound: There is no such file.
        CheckpointCorrupt: The checkpoint was not finished.
        ConfigError: It is a file of something else, or a folder of checkpoints.
    """
    if path.suffix == SUFFIX and not path.is_dir():
        return _of_file(path)
    if path.is_dir() and _place(path).name == CHECKPOINTS and not (path / "run.json").exists():
        known = ", ".join(sorted(one.name for one in path.iterdir() if one.is_dir())) or "none"
        raise ConfigError(f"{path} holds checkpoints, give one of them: {known}")
    if path.is_dir() and (_place(path).parent.name == CHECKPOINTS or _is_checkpoint(path)):
        return _of_checkpoint(path)
    if path.is_dir() and _place(path).name == BEST and not (path / "run.json").exists():
        run = _like(path, _place(path).parent)
        return Source(path=path, run=run, agents=path, part=BEST)
    if path.is_file():
        raise ConfigError(f"{path} is neither a run, nor a checkpoint, nor a file of an agent")
    return Source(path=path, run=path, agents=path / AGENTS)


def _is_checkpoint(path: Path) -> bool:
    return (path / MANIFEST).exists() and (path / MEMBERS).is_dir()


def _of_checkpoint(path: Path) -> Source:
    if not _is_checkpoint(path):
        raise CheckpointCorrupt(
            f"{path} has no {MANIFEST} and {MEMBERS}: it is no checkpoint, or was not finished"
        )
    place = _place(path)
    run = _like(path, place.parents[1])
    return Source(path=path, run=run, agents=path / MEMBERS, part=place.name)


def _of_file(path: Path) -> Source:
    if not path.exists():
        names = [one.name for one in path.parent.glob(f"*{SUFFIX}")]
        raise CheckpointNotFound(f"there is no file {path}{did_you_mean(path.name, names)}")
    folder = _place(path).parent
    if folder.name in (AGENTS, BEST):
        run, part = _like(path, folder.parent), BEST if folder.name == BEST else None
        return Source(path=path, run=run, agents=path.parent, part=part, only=path.stem)
    if folder.name == MEMBERS and _is_checkpoint(folder.parent):
        return evolve(_of_checkpoint(_like(path, folder.parent)), path=path, only=path.stem)
    raise ConfigError(
        f"{path} lies in no run, so that nobody knows its environment and settings; give a file "
        f"of RUN/{AGENTS}, RUN/{BEST} or RUN/{CHECKPOINTS}/STEP/{MEMBERS}"
    )


def _place(path: Path) -> Path:
    """The path from the root, without dots; links stay what they are."""
    return Path(os.path.abspath(path))


def _like(path: Path, found: Path) -> Path:
    """Write a path that was found as the user wrote another: relative, or from the root."""
    return found if path.is_absolute() else Path(os.path.relpath(found))


def labels(sources: Sequence[Source]) -> list[str]:
    """Name sources shortly, so that what is different has different names.

    Checkpoints of one run are named by their step; where there are several runs, by their run
    too. All letters are such as members' names may have.
    """
    several = len({source.run.resolve() for source in sources}) > 1
    taken: dict[str, Path] = {}
    found = []
    for source in sources:
        stem = _label(source, several)
        label, number = stem, 1
        while taken.setdefault(label, source.agents.resolve()) != source.agents.resolve():
            number += 1
            label = f"{stem}-{number}"
        found.append(label)
    return found


def _label(source: Source, several: bool) -> str:
    run = _FORBIDDEN.sub("-", source.run.resolve().name).lstrip(" ._=+,@-")[:_LONGEST] or "run"
    if source.part is None:
        return run
    step = _STEP.fullmatch(source.part)
    name = f"step-{step[1]}" if step else _FORBIDDEN.sub("-", source.part)[:_LONGEST]
    return f"{run} {name}" if several else name
