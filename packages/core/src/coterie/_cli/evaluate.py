"""``coterie eval``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from attrs import asdict, evolve, frozen
from tyro.conf import Positional, arg

from .failures import FINE, MEMBER
from .options import Count, Device, File, Flag, Progress

if TYPE_CHECKING:
    from .._runs.records import MemberSummary, Summary
    from .comparison import Comparison, Entry


_ABOUT = """Evaluate trained agents; nothing is learned.

  coterie eval runs/four --episodes 100
  coterie eval runs/four --members ppo-s0,ppo-s1 --video four.mp4
  coterie eval runs/four runs/five runs/five/checkpoints/step-000000012000
  coterie eval s3://bucket/runs/four

Members take their mean actions, in new episodes; those that failed are left out.

Several runs, checkpoints or files of agents are compared in one environment.

The results are printed, and kept in the folder evaluations/ of each run.

A run that is given by its URL is only read: nothing is kept there."""


@frozen(kw_only=True)
class Eval:
    """Evaluate trained agents; nothing is learned.

    Attributes:
        paths: Runs, checkpoints of runs, or files of agents, or URLs of these.
        episodes: Episodes per member, the first ones of each instance. Default: 20, unless
            timesteps are given.
        timesteps: Timesteps to evaluate for; with episodes, at most. Default: 100000.
        members: Members to evaluate, with commas between them. Default: all.
        instances: Instances of the environment per member. Default: as in training.
        seed: Seed of the episodes, the same for each member. Default: each member's own.
        stochastic: Draw actions in place of taking the mean ones.
        device: Device of environment and agents. Default: as in training.
        video: Video of the first timesteps, as .mp4 or .gif.
        video_length: Frames of the video, at most. Default: 500.
        fps: Frames per second of the video. Default: 30.
        json: Print JSON in place of the table.
        progress: How the progress is shown: bar is a line, also where stderr is no terminal;
            rich is a table, in a terminal only. Default: a line, in a terminal only.
        no_progress: Do not show the progress.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    paths: Annotated[
        Positional[tuple[str, ...]], arg(name="run", metavar="RUN...", help_behavior_hint="")
    ]
    episodes: Count = None
    timesteps: Count = None
    members: Annotated[str | None, arg(metavar="NAMES", help_behavior_hint="")] = None
    instances: Count = None
    seed: Count = None
    stochastic: Flag = False
    device: Device = None
    video: File = None
    video_length: Count = None
    fps: Count = None
    json: Flag = False
    progress: Progress = None
    no_progress: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Evaluate, print and write the results, and return the exit code."""
        from .._errors import ConfigError
        from .replay import evaluate

        if not self.paths:
            raise ConfigError("what is to be evaluated? Give a run, such as runs/four")
        found, summary, frames = evaluate(self)
        files = self._write(found, summary)
        if self.json:
            print(json.dumps(self._content(found, summary, files, frames), indent=2, default=str))
        else:
            self._print(found, summary, files, frames)
        sys.stdout.flush()
        return MEMBER if any(member.failure for member in summary.members) else FINE

    def _write(self, found: Comparison, summary: Summary) -> list[Path]:
        """Write to each run what its own members came to; return the files."""
        from .._runs.directory import write_evaluation
        from .remote import is_brought

        facts = self._facts()
        if len(self.paths) > 1:
            facts["compared"] = list(self.paths)
        runs: dict[Path, list[MemberSummary]] = {}
        for entry, row in zip(found.entries, summary.members, strict=True):
            runs.setdefault(entry.source.run, []).append(row)
        return [
            write_evaluation(run, evolve(summary, members=tuple(rows)), facts)
            for run, rows in runs.items()
            if not is_brought(run)
        ]

    def _facts(self) -> dict[str, Any]:
        from .replay import wanted_episodes

        return {
            "seed": self.seed,
            "stochastic": self.stochastic,
            "episodes": wanted_episodes(self),
            "sources": list(self.paths),
        }

    def _content(
        self, found: Comparison, summary: Summary, files: list[Path], frames: int
    ) -> dict[str, Any]:
        from .._runs.directory import finite

        content: dict[str, Any] = {**self._facts(), **asdict(summary)}
        content["members"] = [
            {**row, **_origin(entry, self.seed)}
            for entry, row in zip(found.entries, content["members"], strict=True)
        ]
        content |= {
            "file": str(files[0]) if files else None,
            "files": [str(file) for file in files],
        }
        if self.video is not None:
            content |= {"video": self.video, "frames": frames}
        plain: dict[str, Any] = finite(content)
        return plain

    def _print(self, found: Comparison, summary: Summary, files: list[Path], frames: int) -> None:
        from .._checkpoints.urls import is_url, shown

        print(f"{_table(found, summary)}\n")
        if summary.timesteps and not any(member.episodes for member in summary.members):
            print(f"no episode ended in {summary.timesteps} timesteps; raise --timesteps")
        if self.video is not None and frames:
            print(f"video: {self.video} ({frames} frames)")
        for file in files:
            print(f"evaluation: {file}")
        for path in filter(is_url, self.paths):
            print(f"evaluation: not kept, {shown(path)} is only read")


def _table(found: Comparison, summary: Summary) -> str:
    """The table; where sources are compared, their members stand below them."""
    from .._runs.evaluation_table import evaluation_table

    if len({entry.source.path for entry in found.entries}) == 1:
        return str(summary)
    if not any(row.evaluation for row in summary.members):
        return str(summary)
    groups: dict[str, list[MemberSummary]] = {}
    for entry, row in zip(found.entries, summary.members, strict=True):
        groups.setdefault(entry.label, []).append(evolve(row, name=str(entry.member.name)))
    return evaluation_table(summary, groups)


def _origin(entry: Entry, seed: int | None) -> dict[str, Any]:
    """Where a member is from, and which seed its episodes have."""
    return {
        "label": entry.label,
        "member": entry.member.name,
        "agent_file": str(entry.file),
        "episode_seed": entry.member.seed if seed is None else seed,
    }
