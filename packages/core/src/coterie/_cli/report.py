"""``coterie report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, ClassVar

from attrs import frozen
from tyro.conf import Positional, arg

from .._errors import ConfigError
from .failures import FINE
from .options import Flag, Folder

_ABOUT = """Report on runs: curves, statistics over seeds, tables, one page.

  coterie report runs/20261122-183000-CartPole-v1
  coterie report runs/lr-* --out paper/report
  coterie report s3://bucket/runs/a

Members of all the runs that differ in their seeds alone are one group.

The page is the file report.html; beside it are pictures and numbers.

It needs: pip install "coterie-core[report]\""""


@frozen(kw_only=True)
class ReportOnRuns:
    """Report on runs: curves, statistics over seeds, tables, one page.

    Attributes:
        runs: Folders of the runs, as coterie train made them, or URLs of these.
        metric: Scalar that is reported on; greater counts as better.
        out: Folder of the report; an earlier one there is replaced. Default: report in the
            folder of the run, or, of N runs, report-N-runs in that of the first; where that is
            given by its URL, report-NAME or report-N-runs here.
        points: Number of points of each curve.
        resamples: Number of draws of each bootstrap.
        seed: Seed of these draws.
        debug: Show tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    runs: Annotated[
        Positional[tuple[str, ...]], arg(name="run", metavar="RUN [RUN ...]", help_behavior_hint="")
    ] = ()
    metric: Annotated[str, arg(metavar="NAME")] = "episode/return"
    out: Folder = None
    points: Annotated[int, arg(metavar="N")] = 200
    resamples: Annotated[int, arg(metavar="N")] = 2000
    seed: Annotated[int, arg(metavar="N")] = 0
    debug: Flag = False

    def run(self) -> int:
        """Make the report, print the results of the groups, and return the exit code."""
        self._check()
        from .._report.build import PAGE, Options, make_report
        from .remote import brought

        folder = self._folder()
        options = Options(
            metric=self.metric, points=self.points, resamples=self.resamples, seed=self.seed
        )
        report = make_report([brought(run, whole=False) for run in self.runs], folder, options)
        print(_results(report.groups))
        for warning in report.warnings:
            print(f"note: {warning}", file=sys.stderr)
        print(f"\nreport: {report.folder / PAGE}")
        return FINE

    def _check(self) -> None:
        if not self.runs:
            raise ConfigError("give the folder of at least one run: coterie report RUN")
        lowest = {"points": 2, "resamples": 100, "seed": 0}
        highest = {"points": 10_000, "resamples": 1_000_000, "seed": 2**63 - 1}
        for name, low in lowest.items():
            value = getattr(self, name)
            if not low <= value <= highest[name]:
                raise ConfigError(f"--{name} must be {low} to {highest[name]}, got {value}")

    def _folder(self) -> Path:
        if self.out is not None:
            return Path(self.out)
        from .._checkpoints.urls import is_url
        from .remote import run_name

        first = self.runs[0]
        different = len({run if is_url(run) else Path(run).resolve() for run in self.runs})
        name = "report" if different == 1 else f"report-{different}-runs"
        if is_url(first):
            return Path(f"report-{run_name(first)}" if different == 1 else name)
        return Path(first) / name


def _results(rows: tuple[dict[str, object], ...]) -> str:
    """Lay out a table of groups for each environment."""
    import shutil

    from .._report.tables import terminal_table

    width = max(80, shutil.get_terminal_size().columns)
    parts = []
    for environment in dict.fromkeys(str(row["environment"]) for row in rows):
        own = [row for row in rows if row["environment"] == environment]
        parts.append(f"{environment}\n{terminal_table(own, width)}")
    return "\n\n".join(parts)
