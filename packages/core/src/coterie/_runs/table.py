"""The table that ends a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .records import MemberSummary, Summary
from .settings import settings_text, split_settings

_HEADINGS = ("member", "seed", "settings", "episodes", "mean return", "steps/s", "status")


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]], numeric: set[int]) -> str:
    """Lay out a table with aligned columns.

    Args:
        headings: One per column.
        rows: Texts, one per column each.
        numeric: Columns that are aligned to the right.
    """
    table = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings))]

    def line(row: Sequence[str]) -> str:
        cells = [
            text.rjust(width) if column in numeric else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([line(headings), line(["-" * width for width in widths]), *map(line, rows)])


def summary_table(summary: Summary) -> str:
    """Lay out a summary: a row per member; the mean return is that of the last 100 episodes.

    Settings that all members share stand below, once. An evaluation over a number of episodes has
    a table of its own.
    """
    if any(member.evaluation is not None for member in summary.members):
        from .evaluation_table import evaluation_table

        return evaluation_table(summary)
    shared, rest = split_settings([member.settings for member in summary.members])
    rows = [
        _row(member, own, bool(shared)) for member, own in zip(summary.members, rest, strict=True)
    ]
    lines = [text_table(_HEADINGS, rows, {1, 3, 4, 5})]
    if shared:
        lines.append(f"all members: {settings_text(shared)}")
    lines += [f"{m.name}: {m.failure}" for m in summary.members if m.failure]
    lines += [f"{m.name}: stopped, {m.stopped}" for m in summary.members if m.stopped]
    return "\n".join(lines)


def _row(member: MemberSummary, settings: Mapping[str, Any], shared: bool) -> list[str]:
    return [
        member.name,
        str(member.seed),
        settings_text(settings) or ("-" if shared else "defaults"),
        str(member.episodes),
        "-" if member.mean_return is None else f"{member.mean_return:.1f}",
        f"{member.steps_per_second:,.0f}",
        member.status,
    ]
