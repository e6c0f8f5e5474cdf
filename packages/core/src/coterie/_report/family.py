"""The pictures of an evolution: settings over time, the family tree, fitness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._runs.drawing import new_figure, plain_axes, step_text
from .evolution import Evolution
from .pictures import GREY, colour_of, style_of
from .plain import clean, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 8.0
_MOST_PANELS = 8
_MOST_NAMED = 16
_MOST_ROWS = 80
_WIDE = 20.0
SETTINGS = (
    "The settings that changed while the run went on, a line per member; a dot where a member "
    "went on with what another had learned."
)
FAMILY = (
    "Who went on from whom: a row per member, in the colour of the member whose first weights it "
    "has; an arrow leads from the one that was copied to its heir. A cross: stopped."
)
FITNESS = "Fitness of each member whenever it was measured."


def draw_settings(evolution: Evolution) -> Figure | None:
    """Draw a panel per setting, of 8 at most; ``None``: none changed."""
    shown = sorted(evolution.settings)[:_MOST_PANELS]
    if not shown:
        return None
    figure = new_figure(_WIDTH, 0.8 + 1.9 * len(shown))
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False).flatten()
    for panel, name in zip(panels, shown, strict=True):
        _draw_setting(panel, evolution, name)
    _time_axis(panels[-1], evolution)
    _name_members(figure, evolution)
    return figure


def _draw_setting(axes: Axes, evolution: Evolution, name: str) -> None:
    own = evolution.settings[name]
    values = [value for points in own.values() for _, value in points]
    places = _places(values)
    copied = {(descent.heir, descent.timestep) for descent in evolution.descents}
    for member, points in own.items():
        index = evolution.members.index(member)
        end = evolution.stops.get(member, evolution.end)
        x = [timestep for timestep, _ in points] + [end]
        y = [_place(places, value) for _, value in points]
        look = _look(index)
        axes.step(x, [*y, y[-1]], where="post", linewidth=1.2, **look)
        dots = [i for i, (timestep, _) in enumerate(points) if (member, timestep) in copied]
        x_dots, y_dots = [x[i] for i in dots], [y[i] for i in dots]
        axes.plot(x_dots, y_dots, "o", color=look["color"], markersize=3)
    if places:
        axes.set_yticks(list(places.values()), [clean(text, 24) for text in places])
    elif _spread(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_title(clean(name, 60), loc="left", fontsize="small")
    plain_axes(axes)


def _look(index: int) -> dict[str, Any]:
    return {"color": colour_of(index), "linestyle": style_of(index)}


def _places(values: Sequence[Any]) -> dict[str, int]:
    """Give values that are no numbers a place each, in order; empty: all are numbers."""
    if all(number(value) is not None for value in values):
        return {}
    return {text: place for place, text in enumerate(sorted({str(value) for value in values}))}


def _place(places: Mapping[str, int], value: Any) -> float:
    return float(places[str(value)] if places else value)


def _spread(values: Sequence[Any]) -> bool:
    low, high = min(map(float, values)), max(map(float, values))
    return low > 0 and high / low >= _WIDE


def draw_family(evolution: Evolution) -> Figure | None:
    """Draw the family tree; ``None``: nobody went on from another, or there are too many."""
    members = evolution.members
    if not evolution.descents or len(members) > _MOST_ROWS:
        return None
    figure = new_figure(_WIDTH, 1.0 + 0.28 * max(4, len(members)))
    axes = figure.add_subplot()
    root = {member: (0, member) for member in members}
    for descent, ancestor in evolution.ancestors():
        since, own = root[descent.heir]
        row = members.index(descent.heir)
        _draw_life(axes, row, since, descent.timestep, members.index(own))
        _draw_arrow(axes, members.index(descent.donor), row, descent.timestep)
        root[descent.heir] = descent.timestep, ancestor
    for row, member in enumerate(members):
        since, own = root[member]
        end = evolution.stops.get(member, evolution.end)
        _draw_life(axes, row, since, end, members.index(own))
        if member in evolution.stops:
            axes.plot([end], [row], "x", color="black", markersize=6)
    axes.set_yticks(range(len(members)), [clean(name, 30) for name in members], fontsize="small")
    axes.set_ylim(len(members) - 0.4, -0.6)
    _time_axis(axes, evolution)
    plain_axes(axes, "x")
    return figure


def _draw_life(axes: Axes, row: int, start: int, end: int, ancestor: int) -> None:
    axes.plot(
        [start, end], [row, row], color=colour_of(ancestor), linewidth=3, solid_capstyle="butt"
    )


def _draw_arrow(axes: Axes, donor: int, heir: int, timestep: int) -> None:
    axes.annotate(
        "",
        xy=(timestep, heir),
        xytext=(timestep, donor),
        arrowprops={"arrowstyle": "->", "color": GREY, "linewidth": 0.8},
    )


def draw_fitness(evolution: Evolution) -> Figure | None:
    """Draw a line per member; ``None``: it was never measured."""
    if not evolution.fitness:
        return None
    figure = new_figure(_WIDTH, 3.6)
    axes = figure.add_subplot()
    for member, points in evolution.fitness.items():
        index = evolution.members.index(member)
        axes.plot(
            [timestep for timestep, _ in points],
            [value for _, value in points],
            marker="o",
            markersize=3,
            linewidth=1.2,
            **_look(index),
        )
    axes.set_ylabel("fitness")
    _time_axis(axes, evolution)
    plain_axes(axes)
    _name_members(figure, evolution)
    return figure


def _time_axis(axes: Axes, evolution: Evolution) -> None:
    axes.set_xlim(0, max(1, evolution.end))
    axes.set_xlabel("timesteps")
    axes.xaxis.set_major_formatter(lambda value, _: step_text(value))


def _name_members(figure: Figure, evolution: Evolution) -> None:
    """Put a legend below, unless there are too many members to tell apart."""
    from matplotlib.lines import Line2D

    members = evolution.members
    if len(members) > _MOST_NAMED:
        return
    handles = [Line2D([], [], **_look(index)) for index in range(len(members))]
    columns = min(4, math.ceil(len(members) / 2))
    figure.legend(
        handles,
        [f"\u200b{clean(name, 24)}" for name in members],
        loc="outside lower center",
        ncols=max(1, columns),
        frameon=False,
        fontsize="x-small",
    )
