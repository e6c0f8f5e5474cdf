"""The pictures of learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runs.drawing import COLOURS, MARKERS, STYLES, new_figure, plain_axes, step_text
from .curves import Axis
from .plain import clean
from .records import Group, GroupCurve, ReportedMember

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import Locator

_WIDTH = 8.0
MOST_NAMED = 28
_MOST_PANELS = 12
_MOST_MEMBERS = 16
_FAINT = 60
GREY = "#555555"


def colour_of(index: int) -> str:
    """Give the colour of a group by its position."""
    return COLOURS[index % len(COLOURS)]


def style_of(index: int) -> str:
    """Give the line style of a group: it changes when the colours start over."""
    return STYLES[index // len(COLOURS) % len(STYLES)]


def measured(metric: str) -> str:
    """Say what an axis shows."""
    names = {"episode/return": "mean return per episode", "episode/length": "steps per episode"}
    return names.get(metric, clean(metric))


def draw_curves(
    curves: Sequence[GroupCurve], order: Sequence[Group], axis: Axis, metric: str, title: str
) -> Figure:
    """Draw groups: thick their interquartile means with bands, thin the members.

    Args:
        curves: Curves of groups in one environment.
        order: All groups there, whose positions give the colours.
        axis: What the curves run along.
        metric: Name of the scalar.
        title: What stands above.
    """
    named = _best(curves) if len(curves) > MOST_NAMED else list(curves)
    labels = [f"{curve.group.title} ({_seeds(curve)})" for curve in named]
    columns = 2 if max(map(len, labels), default=0) < 42 and len(labels) > 2 else 1
    figure = new_figure(_WIDTH, 4.7 + 0.22 * math.ceil(len(labels) / columns))
    axes = figure.add_subplot()
    for curve in curves:
        if curve not in named:
            axes.plot(curve.x, curve.mean, color="#cccccc", linewidth=0.7)
    faint = len(named) == len(curves) and sum(len(c.members) for c in curves) <= _FAINT
    places = {c.group.mark: k for k, c in enumerate(named)} if len(named) < len(curves) else {}
    handles = [
        _draw_group(axes, curve, places.get(curve.group.mark, order.index(curve.group)), faint)
        for curve in named
    ]
    _label_axes(axes, axis, metric)
    left = f"; named: the best {len(named)} of {len(curves)} groups" if places else ""
    axes.set_title(f"{title}{left}", loc="left", fontsize="medium")
    figure.legend(
        handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize="small"
    )
    return figure


def _best(curves: Sequence[GroupCurve]) -> list[GroupCurve]:
    """Choose as many curves as there are colours: those that end highest."""
    ends = [curve.mean[np.isfinite(curve.mean)][-1] for curve in curves]
    ranked = sorted(range(len(curves)), key=lambda index: -ends[index])
    return [curves[index] for index in ranked[: len(COLOURS)]]


def _seeds(curve: GroupCurve) -> str:
    number = int(np.isfinite(curve.members).any(1).sum())
    return f"{number} seed" if number == 1 else f"{number} seeds"


def _draw_group(axes: Axes, curve: GroupCurve, index: int, faint: bool) -> Line2D:
    colour, style = colour_of(index), style_of(index)
    if faint and len(curve.members) > 1:
        for row in curve.members:
            axes.plot(curve.x, row, color=colour, linewidth=0.6, alpha=0.4)
    axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
    whole = curve.seeds == curve.seeds.max()
    lone = int(np.isfinite(curve.mean).sum()) == 1
    (line,) = axes.plot(
        curve.x,
        np.where(whole, curve.mean, np.nan),
        color=colour,
        linestyle=style,
        linewidth=2.0,
        marker="o" if lone else "",
        markersize=6,
    )
    partly = np.where(_touching(~whole), curve.mean, np.nan)
    axes.plot(curve.x, partly, color=colour, linestyle=(0, (1, 1.5)), linewidth=1.2)
    return line


def _touching(
    there: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Add the neighbours of points, so that a line of them meets the one beside it."""
    wide = there.copy()
    wide[1:] |= there[:-1]
    wide[:-1] |= there[1:]
    return wide


def _label_axes(axes: Axes, axis: Axis, metric: str) -> None:
    axes.set_ylabel(measured(metric))
    axes.set_xlim(left=0)
    plain_axes(axes)
    if axis == "steps":
        axes.set_xlabel("environment steps of each member")
        axes.xaxis.set_major_formatter(lambda value, _: step_text(value))
    else:
        longest = float(axes.dataLim.x1)
        seconds, unit = time_unit(longest)
        axes.set_xlabel(f"wall time of the run ({unit})")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / seconds:g}")
        axes.xaxis.set_major_locator(_multiples(seconds))


def _multiples(seconds: float) -> Locator:
    """Put marks at round numbers of a unit, of so many seconds."""
    from matplotlib.ticker import MaxNLocator

    class InUnit(MaxNLocator):
        def tick_values(self, vmin: float, vmax: float) -> Any:
            return np.asarray(super().tick_values(vmin / seconds, vmax / seconds)) * seconds

    return InUnit(nbins=9, steps=[1, 2, 2.5, 5, 10])


def time_unit(longest: float) -> tuple[float, str]:
    """Choose a unit for times up to ``longest`` seconds: its seconds, and its name."""
    for seconds, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if longest >= 2 * seconds:
            return seconds, name
    return 1.0, "seconds"


def draw_members(
    curves: Sequence[GroupCurve], order: Sequence[Group], metric: str, title: str
) -> Figure:
    """Draw a panel per group, of 12 at most, with a line per member, named up to 16 members.

    Args:
        curves: Curves of groups in one environment, along environment steps.
        order: All groups there, whose positions give the colours of their titles.
        metric: Name of the scalar.
        title: What stands above.
    """
    shown = curves[:_MOST_PANELS]
    columns = min(len(shown), 2)
    lines = max(len(curve.members) for curve in shown)
    named = lines <= _MOST_MEMBERS
    rows = math.ceil(len(shown) / columns)
    legend = 0.2 * math.ceil(min(lines, _MOST_MEMBERS) / _legend_columns(columns)) if named else 0
    figure = new_figure(_WIDTH, 0.9 + rows * ((4.2 if columns == 1 else 2.6) + legend))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for panel, curve in zip(panels, shown, strict=False):
        _draw_panel(panel, curve, curves, order.index(curve.group), named, columns)
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    for panel in panels[::columns]:
        panel.set_ylabel(measured(metric), fontsize="small")
    panels[0].set_xlim(left=0)
    panels[0].xaxis.set_major_formatter(lambda value, _: step_text(value))
    left = f", the first {len(shown)} groups" if len(curves) > len(shown) else ""
    figure.suptitle(f"{title}{left}", x=0.01, ha="left", fontsize="medium")
    figure.supxlabel("environment steps of each member", fontsize="medium")
    return figure


def _legend_columns(panels: int) -> int:
    return 4 if panels == 1 else 2


def _draw_panel(
    axes: Axes,
    curve: GroupCurve,
    others: Sequence[GroupCurve],
    index: int,
    named: bool,
    columns: int,
) -> None:
    for other in others:
        if other is not curve and len(other.members) <= _MOST_MEMBERS:
            axes.plot(other.x, other.members.T, color="#d8d8d8", linewidth=0.5, zorder=1)
    several = len({member.run for other in others for member in other.group.members}) > 1
    handles, labels = [], []
    for position, (member, row) in enumerate(zip(curve.group.members, curve.members, strict=True)):
        if not np.isfinite(row).any():
            continue
        (line,) = axes.plot(
            curve.x,
            row,
            color=colour_of(position) if named else colour_of(index),
            linestyle=style_of(position) if named else "-",
            linewidth=1.3 if named else 0.6,
            marker=MARKERS[position % len(MARKERS)] if named else "",
            markersize=4,
            markevery=_marked(len(row), position),
        )
        handles.append(line)
        labels.append(_member_label(member, several))
    axes.plot(curve.x, curve.mean, color="black", linewidth=2.2, alpha=0.35, zorder=1.5)
    axes.set_title(
        clean(curve.group.title, 60 if columns == 2 else 110), loc="left", fontsize="small"
    )
    plain_axes(axes)
    axes.tick_params(labelbottom=True)
    if named:
        axes.legend(
            handles,
            labels,
            frameon=False,
            fontsize="x-small",
            ncols=_legend_columns(columns),
            loc="upper left",
            bbox_to_anchor=(0.0, -0.1 if columns == 2 else -0.06),
            borderaxespad=0.2,
        )


def _member_label(member: ReportedMember, several: bool) -> str:
    """Name a member, and its run where there are several.

    The first letter has no width: matplotlib leaves out labels that start with an underscore.
    """
    name = f"{member.run}/{member.name}" if several else member.name
    seed = "" if member.seed is None else f", seed {member.seed}"
    return f"\u200b{clean(name, 30)}{seed}"


def _marked(points: int, index: int) -> tuple[int, int]:
    """Mark about six points of each line, of each others."""
    return max(1, points // 30) * (index % 5), max(1, points // 6)
