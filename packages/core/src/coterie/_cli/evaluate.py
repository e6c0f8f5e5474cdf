"""``coterie eval``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from attrs import asdict, frozen
from tyro.conf import Positional, arg

from .failures import FINE, MEMBER
from .options import Count, Device, Flag, Progress

if TYPE_CHECKING:
    from .._runs.records import Summary


_ABOUT = """Evaluate the trained agents of a run; nothing is learned.

  coterie eval runs/20261122-183000-CartPole-v1 --timesteps 2000

Members take their mean actions, in new episodes. Those that failed are left out.

The results are printed, and kept in the folder evaluations/ of the run."""


@frozen(kw_only=True)
class Eval:
    """Evaluate the trained agents of a run; nothing is learned.

    Attributes:
        run_dir: Folder of the run, as coterie train made it.
        timesteps: Timesteps to evaluate for; each steps every instance once.
        seed: Seed of the episodes, the same for each member. Default: each member's own.
        stochastic: Draw actions in place of taking the mean ones.
        device: Device of environment and agents. Default: as in training.
        json: Print JSON in place of the table.
        progress: How the progress is shown: bar is a line, also where stderr is no terminal;
            rich is a table, in a terminal only. Default: a line, in a terminal only.
        no_progress: Do not show the progress.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    run_dir: Annotated[Positional[str], arg(name="run", metavar="RUN", help_behavior_hint="")]
    timesteps: Annotated[int, arg(metavar="N")] = 1000
    seed: Count = None
    stochastic: Flag = False
    device: Device = None
    json: Flag = False
    progress: Progress = None
    no_progress: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Evaluate, print and write the results, and return the exit code."""
        from .._runs.directory import write_evaluation
        from .replay import evaluate

        folder = Path(self.run_dir)
        summary = evaluate(self, folder)
        facts = {"seed": self.seed, "stochastic": self.stochastic}
        path = write_evaluation(folder, summary, facts)
        self._print(summary, path)
        return MEMBER if any(member.failure for member in summary.members) else FINE

    def _print(self, summary: Summary, path: Path) -> None:
        if self.json:
            content: dict[str, Any] = {**asdict(summary), "file": str(path)}
            print(json.dumps(content, indent=2, default=str))
            return
        print(f"{summary}\n")
        if not any(member.episodes for member in summary.members):
            print(f"no episode ended in {self.timesteps} timesteps; raise --timesteps")
        print(f"evaluation: {path}")
        sys.stdout.flush()
