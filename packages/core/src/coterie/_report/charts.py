"""The pictures of results: groups, improvements, and where the time went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._runs.drawing import new_figure, plain_axes
from .pictures import GREY, MOST_NAMED, colour_of, measured
from .plain import clean
from .records import Band, Group, Improvement, ReportedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
_WIDTH = 8.0
_MOST_WRITTEN = 12
_MOST_WITH_INTERVALS = 5
_MOST_RESULTS = 60
_MOST_LARGE = 12
MOST_COMPARED = 40
_PARTS = {"environment": "#0072B2", "members": "#E69F00", "other": "#999999"}


def draw_results(
    groups: Sequence[Group], bands: Mapping[str, Band], metric: str, title: str
) -> Figure:
    """Draw a row per group: its members' results, the interquartile mean and its interval.

    Args:
        groups: Groups of one environment.
        bands: Their interquartile means, by marks.
        metric: Name of the scalar.
        title: What stands above.
    """
    found = [group for group in groups if group.mark in bands]
    ranked = sorted(found, key=lambda group: -bands[group.mark].mean)[:_MOST_RESULTS]
    shown = found if len(found) <= _MOST_RESULTS else ranked
    large = len(shown) <= _MOST_LARGE
    figure = new_figure(_WIDTH, 1.3 + (0.42 if large else 0.22) * len(shown))
    axes = figure.add_subplot()
    for row, group in enumerate(shown):
        colour = colour_of(groups.index(group)) if len(groups) <= MOST_NAMED else GREY
        _draw_result(axes, row, group, bands[group.mark], colour, large)
    names = [clean(group.title, 48) for group in shown]
    axes.set_yticks(range(len(shown)), names, fontsize="medium" if large else "small")
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel(measured(metric))
    left = f", the best {len(shown)} of {len(found)} groups" if len(shown) < len(found) else ""
    axes.set_title(f"{title}{left}", loc="left", fontsize="medium")
    plain_axes(axes, "x")
    return figure


def _draw_result(axes: Axes, row: int, group: Group, band: Band, colour: str, large: bool) -> None:
    if math.isfinite(band.low):
        axes.plot(
            [band.low, band.high],
            [row, row],
            color=colour,
            linewidth=9 if large else 6,
            alpha=0.25,
            solid_capstyle="butt",
        )
    axes.plot(group.results, [row] * len(group.results), "o", color=colour, markersize=4, alpha=0.6)
    height = 18 if large else 10
    axes.plot([band.mean], [row], "|", color=colour, markersize=height, markeredgewidth=2.5)


def draw_improvements(found: Sequence[Improvement], title: str) -> Figure:
    """Draw a matrix: how probable it is that a member of the row's group is above the column's.

    Args:
        found: Both directions of each pair of at least two and at most 40 groups.
        title: What stands above.
    """
    groups = list(dict.fromkeys(pair.first.mark for pair in found))
    titles = {pair.first.mark: pair.first.title for pair in found}
    values = np.full((len(groups), len(groups)), np.nan)
    for pair in found:
        place = groups.index(pair.first.mark), groups.index(pair.second.mark)
        values[place] = pair.probability.mean
    written = len(groups) <= _MOST_WRITTEN
    cell = 0.62 if written else max(0.16, 4.6 / len(groups))
    figure = new_figure(_WIDTH, 1.4 + cell * len(groups))
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="PuOr", vmin=0, vmax=1, aspect="auto" if written else "equal")
    size = "small" if len(groups) <= 20 else 5
    axes.set_xticks(range(len(groups)), groups, fontsize=size)
    longest = 44 if len(groups) <= _MOST_WITH_INTERVALS else 30
    names = [clean(titles[mark], longest) for mark in groups] if len(groups) <= 20 else groups
    axes.set_yticks(range(len(groups)), names, fontsize=size)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_title(title, loc="left", fontsize="medium")
    if written:
        for pair in found:
            _write_cell(axes, groups, pair)
    bar = figure.colorbar(image, ax=axes, ticks=[0, 0.25, 0.5, 0.75, 1], shrink=0.9, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("P(row > column)", fontsize="small")
    return figure


def _write_cell(axes: Axes, groups: Sequence[str], pair: Improvement) -> None:
    row, column = groups.index(pair.first.mark), groups.index(pair.second.mark)
    band = pair.probability
    text = f"{band.mean:.2f}"
    if math.isfinite(band.low) and len(groups) <= _MOST_WITH_INTERVALS:
        text += f"\n{band.low:.2f} to {band.high:.2f}"
    dark = abs(band.mean - 0.5) > 0.3
    colour = "white" if dark else "black"
    axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def draw_shares(runs: Sequence[ReportedRun]) -> Figure:
    """Draw a bar per run, of the parts that its time went to.

    Args:
        runs: Runs of which that is known.
    """
    figure = new_figure(_WIDTH, 1.5 + 0.36 * len(runs))
    axes = figure.add_subplot()
    names = list(dict.fromkeys(part for run in runs for part in top_parts(run.shares)))
    left = np.zeros(len(runs))
    for index, name in enumerate(names):
        widths = np.array([run.shares.get(name, 0.0) for run in runs])
        colour = _PARTS.get(name, colour_of(index + 3))
        bars = axes.barh(range(len(runs)), widths, left=left, color=colour, height=0.7)
        bars.set_label(name)
        _write_shares(axes, widths, left, colour)
        left += widths
    axes.set_yticks(range(len(runs)), [clean(run.name, 40) for run in runs])
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.set_xlim(0, max(1.0, float(left.max())))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_xlabel("share of the run's time")
    axes.spines[["top", "right", "left"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=6, frameon=False, fontsize="small"
    )
    return figure


def _write_shares(axes: Axes, widths: Floats, left: Floats, colour: str) -> None:
    for row, (width, start) in enumerate(zip(widths, left, strict=True)):
        if width >= 0.06:
            ink = "white" if colour == "#0072B2" else "black"
            axes.text(
                start + width / 2,
                row,
                f"{100 * width:.0f} %",
                ha="center",
                va="center",
                fontsize="small",
                color=ink,
            )


def top_parts(shares: Mapping[str, float]) -> list[str]:
    """List the parts that are not contained in another."""
    return [name for name in shares if "/" not in name]
