"""Making a report: files of numbers, pictures, and the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .._errors import ConfigError
from .._runs.drawing import drawing, save
from .._runs.metrics_file import RETURN
from . import tables
from .charts import MOST_COMPARED, draw_improvements, draw_results, draw_shares
from .curves import AXES, Axis, group_curves
from .evolution import CHANGE, Evolution, read_evolution
from .family import FAMILY, FITNESS, SETTINGS, draw_family, draw_fitness, draw_settings
from .grouping import by_environment, group_members, shared_settings
from .inline import inline_svg
from .measures import compare, everywhere, joint, result_band, result_bands, scaled
from .notes import CURVES, IMPROVEMENT, MEMBERS, RESULTS, SHARES, method_texts, warnings
from .page import render_page
from .pictures import draw_curves, draw_members
from .plain import clean
from .reading import read_runs
from .records import Group, GroupCurve, Improvement, ReportedRun
from .statistics import scipy_stats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
_EXTRA = "report"
_MOST_PAIRS = 60
_NUMBERS = ("curves", "member-curves", "members", "groups", "improvement")
_LINEAGE = "lineage.csv"
_DRAWN = "curves-steps|curves-time|members|results|improvement|time-shares|settings|family|fitness"
_OURS = re.compile(rf"({_DRAWN})(-[\w.-]+)?\.(png|svg)")


@frozen(kw_only=True)
class Options:
    """How a report is made.

    Attributes:
        metric: Name of the scalar.
        points: Number of points of the curves.
        resamples: Number of draws of each bootstrap.
        seed: Seed of the draws.
    """

    metric: str = RETURN
    points: int = 200
    resamples: int = 2000
    seed: int = 0


@frozen(kw_only=True)
class Report:
    """What was made.

    Attributes:
        folder: Where it is.
        groups: A row per group, with the columns of ``groups.csv``.
        warnings: What should be known before the numbers are used.
    """

    folder: Path
    groups: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]


def make_report(paths: Sequence[Path], folder: Path, options: Options) -> Report:
    """Report on runs.

    Args:
        paths: Folders of the runs.
        folder: Where the report goes; an earlier report there is replaced.
        options: How.

    Raises:
        ConfigError: One is no run or damaged, the folder holds something else or can't be
            written to, or a library of the extra ``report`` is not installed.
    """
    scipy_stats()
    runs = read_runs(paths, options.metric)
    try:
        with drawing(_EXTRA):
            _make_place(folder)
            return _Maker(runs, folder, options).make()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{folder} can't be written to ({reason}); give another --out") from error


def _make_place(folder: Path) -> None:
    """Make the folder, without the pictures of an earlier report."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    names = [file.name for file in folder.iterdir()]
    if names and PAGE not in names:
        raise ConfigError(f"{folder} holds other files; give a new or empty folder as --out")
    for name in filter(_OURS.fullmatch, names):
        (folder / name).unlink()
    (folder / _LINEAGE).unlink(missing_ok=True)


class _Maker:
    """Makes one report.

    Args:
        runs: The runs.
        folder: An empty folder, or one with a report to replace.
        options: How.
    """

    def __init__(self, runs: Sequence[ReportedRun], folder: Path, options: Options) -> None:
        self._runs, self._folder, self._options = runs, folder, options
        self._groups = group_members(runs)
        self._environments = by_environment(self._groups)
        self._rows: dict[str, list[tables.Row]] = {name: [] for name in _NUMBERS}
        self._pictures = 0

    def make(self) -> Report:
        """Write all files, the page last."""
        (self._folder / PAGE).unlink(missing_ok=True)
        (self._folder / PAGE).touch()  # whoever looks at half a report can replace it
        content = {
            "sections": [self._section(name) for name in self._environments],
            "across": self._across(),
            "evolutions": self._evolutions(),
            **self._common(),
        }
        columns = (
            tables.CURVE, tables.MEMBER_CURVE, tables.MEMBER, tables.GROUP, tables.IMPROVEMENT,
        )  # fmt: skip
        for name, names in zip(_NUMBERS, columns, strict=True):
            tables.write_csv(self._folder / f"{name}.csv", names, self._rows[name])
        page = render_page(**content)
        (self._folder / PAGE).write_text(page, encoding="utf-8")
        rows = [row for row in self._rows["groups"] if row["environment"] in self._environments]
        return Report(folder=self._folder, groups=tuple(rows), warnings=tuple(content["warnings"]))

    def _section(self, environment: str) -> dict[str, Any]:
        groups, options = self._environments[environment], self._options
        bands = result_bands(groups, options.resamples, options.seed)
        pairs = compare([groups], options.resamples, options.seed)
        group_rows = [tables.group_row(group, bands.get(group.mark)) for group in groups]
        members = [tables.member_row(group, member) for group in groups for member in group.members]
        improvements = [tables.improvement_row(environment, pair) for pair in pairs]
        self._rows["groups"] += group_rows
        self._rows["members"] += members
        self._rows["improvement"] += improvements
        pictures = self._draw_curves(environment, groups)
        if bands:
            figure = draw_results(groups, bands, options.metric, environment)
            pictures += self._picture("results", environment, figure, RESULTS)
        pictures += self._draw_pairs(environment, pairs, IMPROVEMENT)
        told = improvements[:_MOST_PAIRS] if pairs else []
        return {
            "environment": environment,
            "groups": group_rows,
            "members": members,
            "evaluated": any(row["evaluation"] is not None for row in members),
            "pictures": pictures,
            "improvements": told,
            "more_improvements": len(improvements) - len(told),
        }

    def _draw_curves(self, environment: str, groups: Sequence[Group]) -> list[dict[str, str]]:
        options, drawn = self._options, []
        curves: dict[Axis, list[GroupCurve]] = {}
        for axis in AXES:
            curves[axis] = group_curves(
                groups, axis, options.metric,
                points=options.points, resamples=options.resamples, seed=options.seed,
            )  # fmt: skip
            for curve in curves[axis]:
                self._rows["curves"] += tables.curve_rows(curve, axis)
                self._rows["member-curves"] += tables.member_curve_rows(curve, axis)
        if not curves["steps"]:
            return []
        for axis, found in curves.items():
            figure = draw_curves(found, groups, axis, options.metric, environment)
            drawn += self._picture(f"curves-{axis}", environment, figure, CURVES[axis])
        if all(len(curve.members) == 1 for curve in curves["steps"]):
            return drawn
        figure = draw_members(curves["steps"], groups, options.metric, environment)
        return drawn + self._picture("members", environment, figure, MEMBERS)

    def _draw_pairs(
        self, environment: str, pairs: Sequence[Improvement], caption: str
    ) -> list[dict[str, str]]:
        if not pairs or len({pair.first.mark for pair in pairs}) > MOST_COMPARED:
            return []
        return self._picture(
            "improvement", environment, draw_improvements(pairs, environment), caption
        )

    def _across(self) -> dict[str, Any] | None:
        shared = everywhere(self._environments)
        if not shared:
            return None
        options, values = self._options, scaled(shared)
        rows = []
        for groups in zip(*shared, strict=True):
            strata = [table[groups[0].mark] for table in values]
            band = result_band(*strata, resamples=options.resamples, seed=options.seed)
            row = tables.group_row(joint(groups), band)
            row |= dict.fromkeys(("median", "average", "best", "worst"))
            rows.append(row)
        pairs = compare(shared, options.resamples, options.seed)
        self._rows["groups"] += rows
        self._rows["improvement"] += [tables.improvement_row("all environments", p) for p in pairs]
        return {
            "groups": rows,
            "pictures": self._draw_pairs("all environments", pairs, IMPROVEMENT),
        }

    def _evolutions(self) -> list[dict[str, Any]]:
        """Draw what was done to the members of each run."""
        found = [evolution for run in self._runs if (evolution := read_evolution(run))]
        if not found:
            return []
        rows = [row for evolution in found for row in evolution.rows]
        tables.write_csv(self._folder / _LINEAGE, CHANGE, rows)
        return [
            {
                "run": evolution.run,
                "copies": len(evolution.descents),
                "changes": len(evolution.rows),
                "pictures": self._draw_evolution(evolution, place if len(found) > 1 else 0),
            }
            for place, evolution in enumerate(found, 1)
        ]

    def _draw_evolution(self, evolution: Evolution, number: int) -> list[dict[str, str]]:
        drawn: list[dict[str, str]] = []
        for name, figure, caption in (
            ("settings", draw_settings(evolution), SETTINGS),
            ("family", draw_family(evolution), FAMILY),
            ("fitness", draw_fitness(evolution), FITNESS),
        ):
            if figure is not None:
                stem = f"{name}-{number}-{_slug(evolution.run)}" if number else name
                drawn += self._save(stem, evolution.run, figure, caption)
        return drawn

    def _picture(self, name: str, about: str, figure: Figure, caption: str) -> list[dict[str, str]]:
        """Save a picture of an environment, and give what the page needs of it."""
        several = len(self._environments) > 1 and about
        number = list(self._environments).index(about) + 1 if about in self._environments else "all"
        stem = f"{name}-{number}-{_slug(about)}" if several else name
        return self._save(stem, about, figure, caption)

    def _save(self, stem: str, about: str, figure: Figure, caption: str) -> list[dict[str, str]]:
        path = self._folder / f"{stem}.png"
        save(figure, path)
        self._pictures += 1
        description = f"{about}: {caption}" if about else caption
        svg = inline_svg(path.with_suffix(".svg"), f"p{self._pictures}", description)
        return [{"svg": svg, "caption": caption}]

    def _common(self) -> dict[str, Any]:
        from importlib.metadata import version

        runs, options = self._runs, self._options
        timed = [run for run in runs if run.shares]
        drawn = self._picture("time-shares", "", draw_shares(timed), SHARES) if timed else []
        shared = shared_settings(self._groups)
        return {
            "title": f"Report on {runs[0].name}"
            if len(runs) == 1
            else f"Report on {len(runs)} runs",
            "runs": runs,
            "metric": clean(options.metric),
            "version": version("coterie-core"),
            "resamples": options.resamples,
            "points": options.points,
            "seed": options.seed,
            "member_count": sum(len(run.members) for run in runs),
            "group_count": len(self._groups),
            "warnings": list(warnings(runs, self._groups, options.metric)),
            "shared": shared,
            "differing": _differing(self._groups, shared),
            "shares_pictures": drawn,
            "timed": timed,
            "failures": [row for row in self._rows["members"] if row["failure"] is not None],
            **method_texts(options.metric),
        }


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:60]


def _differing(groups: Iterable[Group], shared: dict[str, dict[str, Any]]) -> list[tables.Row]:
    unique = {group.mark: group for group in groups}
    rows = [
        {
            "group": group.mark,
            "kind": group.kind,
            "settings": {k: v for k, v in group.settings.items() if k not in shared[group.kind]},
        }
        for group in unique.values()
    ]
    return rows if len(rows) > 1 else []
