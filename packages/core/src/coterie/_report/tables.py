"""The numbers of a report, as rows: for CSV files, the page and the terminal."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._runs.table import text_table
from .plain import clean
from .records import Band, Group, GroupCurve, Improvement, ReportedMember

Row = dict[str, Any]

CURVE = ("environment", "group", "label", "axis", "x", "mean", "low", "high", "seeds")
MEMBER_CURVE = ("environment", "group", "run", "member", "seed", "axis", "x", "value")
MEMBER = (
    "environment", "group", "run", "member", "agent", "seed", "instances", "status",
    "episodes", "env_steps", "wall_time", "result", "evaluation", "failed_in", "failed_at",
    "failure", "stopped",
)  # fmt: skip
GROUP = (
    "environment", "group", "label", "agent", "seeds", "without_result", "failed", "stopped",
    "unfinished", "mean", "low", "high", "median", "average", "best", "worst",
)  # fmt: skip
IMPROVEMENT = ("environment", "first", "second", "probability", "low", "high")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows; what is ``None`` or NaN stays empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return float(f"{value:.10g}") if isinstance(value, float) else value


def member_row(group: Group, member: ReportedMember) -> Row:
    """Lay out a member."""
    failure = member.failure
    return {
        "environment": group.environment,
        "group": group.mark,
        "run": member.run,
        "member": member.name,
        "agent": member.kind,
        "seed": member.seed,
        "instances": member.instances,
        "status": member.status,
        "episodes": member.episodes,
        "env_steps": int(member.steps),
        "wall_time": member.wall_time,
        "result": member.result,
        "evaluation": member.evaluation,
        "failed_in": failure and failure.phase,
        "failed_at": failure and failure.timestep,
        "failure": failure and failure.message,
        "stopped": member.stopped,
    }


def group_row(group: Group, band: Band | None) -> Row:
    """Lay out a group.

    Args:
        group: The group.
        band: Interquartile mean of its results; ``None``: it has none.
    """
    results, states = group.results, [member.status for member in group.members]
    return {
        "environment": group.environment,
        "group": group.mark,
        "label": group.label,
        "agent": group.kind,
        "seeds": len(results),
        "without_result": len(states) - len(results),
        "failed": states.count("failed"),
        "stopped": states.count("stopped"),
        "unfinished": states.count("unfinished") + states.count("interrupted"),
        "mean": band and band.mean,
        "low": band and band.low,
        "high": band and band.high,
        "median": statistics.median(results) if results else None,
        "average": statistics.fmean(results) if results else None,
        "best": max(results, default=None),
        "worst": min(results, default=None),
    }


def improvement_row(environment: str, pair: Improvement) -> Row:
    """Lay out a pair of groups."""
    return {
        "environment": environment,
        "first": pair.first.mark,
        "second": pair.second.mark,
        "probability": pair.probability.mean,
        "low": pair.probability.low,
        "high": pair.probability.high,
    }


def curve_rows(curve: GroupCurve, axis: str) -> list[Row]:
    """Lay out the points of a group's curve at which there is a value."""
    group = curve.group
    start = {"environment": group.environment, "group": group.mark, "label": group.label}
    columns = (curve.x, curve.mean, curve.low, curve.high, curve.seeds)
    names = ("x", "mean", "low", "high", "seeds")
    points = zip(*(column.tolist() for column in columns), strict=True)
    rows = [{**start, "axis": axis, **dict(zip(names, point, strict=True))} for point in points]
    return [row for row in rows if row["seeds"]]


def member_curve_rows(curve: GroupCurve, axis: str) -> list[Row]:
    """Lay out the points of the members' curves at which there is a value."""
    rows: list[Row] = []
    for member, values in zip(curve.group.members, curve.members.tolist(), strict=True):
        start = {
            "environment": member.environment,
            "group": curve.group.mark,
            "run": member.run,
            "member": member.name,
            "seed": member.seed,
            "axis": axis,
        }
        points = zip(curve.x.tolist(), values, strict=True)
        rows += [{**start, "x": x, "value": y} for x, y in points if math.isfinite(y)]
    return rows


def shown(value: Any, digits: int = 4) -> str:
    """Write a number for people, with so many digits that count; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def interval_text(low: float | None, high: float | None) -> str:
    """Write an interval for people; a dash where there is none."""
    if low is None or high is None or not math.isfinite(low):
        return "-"
    return f"{shown(low)} to {shown(high)}"


def remarks(row: Mapping[str, Any]) -> str:
    """Say how many members of a group are not as they should be."""
    texts = {
        "failed": "failed",
        "stopped": "stopped early",
        "unfinished": "unfinished",
        "without_result": "without a result",
    }
    found = [f"{row[key]} {text}" for key, text in texts.items() if row[key]]
    return ", ".join(found) or "all complete"


def terminal_table(rows: Sequence[Row], width: int = 80) -> str:
    """Lay groups out for the terminal, cutting labels where lines would be longer than that."""
    headings = ("group", "seeds", "IQM", "95 % interval", "median", "best")
    cells = [
        [
            shown(row["seeds"]),
            shown(row["mean"]),
            interval_text(row["low"], row["high"]),
            shown(row["median"]),
            shown(row["best"]),
        ]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(headings[1:], *cells, strict=True)]
    room = max(12, width - sum(widths) - 2 * len(widths))
    titles = [clean(f"{row['group']}: {row['label']}", room) for row in rows]
    table = [[title, *row] for title, row in zip(titles, cells, strict=True)]
    return text_table(headings, table, {1, 2, 3, 4, 5})
