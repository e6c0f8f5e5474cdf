"""Learning curves: a picture of a run's ``metrics.csv``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .._errors import ConfigError
from .drawing import COLOURS, MARKERS, STYLES, drawing, new_figure, plain_axes, save, step_text
from .metrics_file import read_metrics
from .settings import settings_text, split_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .series import Series

PICTURE = "learning-curves.png"
_WINDOW = 20
_FAINT = 8
_MOST_NAMED = 16


@frozen
class Curve:
    """The learning curve of one member.

    Attributes:
        name: Name of the member.
        steps: Environment steps of the member, rising.
        returns: Mean return of the episodes that ended since the point before.
        episodes: How many those were.
    """

    name: str
    steps: tuple[int, ...]
    returns: tuple[float, ...]
    episodes: tuple[int, ...]


def plot_curves(run_dir: str | Path) -> Path | None:
    """Draw the learning curves of a run: ``learning-curves.png``, and the same as ``.svg``.

    A line per member shows the mean return of its last 20 episodes (or a few more: the metrics
    hold means over all that ended in an interval) against the member's environment steps. With
    up to 8 members, the metrics themselves are drawn faintly.

    Args:
        run_dir: Folder of the run.

    Returns:
        The PNG; ``None``: no episode has ended in this run, so there is nothing to draw.

    Raises:
        ConfigError: There are no metrics, or matplotlib is not installed.
    """
    run = Path(run_dir)
    curves = read_curves(run / "metrics.csv")
    if not curves:
        return None
    with drawing("plot"):
        figure = new_figure(8.0, 5.0)
        _draw(figure, curves, *_describe(run))
        save(figure, run / PICTURE)
    return run / PICTURE


def read_curves(path: Path) -> list[Curve]:
    """Read the curves of all members, in the order that they first appear in.

    Args:
        path: A ``metrics.csv`` in long form.

    Raises:
        ConfigError: There is no such file, or it holds something else.
    """
    metrics = read_metrics(path)
    if metrics.unreadable:
        raise ConfigError(
            f"{path} holds no metrics of a run: {metrics.unreadable} rows are damaged"
        )
    curves = [_curve(name, member.series) for name, member in metrics.members.items()]
    return [curve for curve in curves if curve.steps]


def _curve(name: str, series: Series) -> Curve:
    return Curve(
        name=name,
        steps=tuple(map(int, series.steps)),
        returns=tuple(series.values),
        episodes=tuple(map(int, series.weights)),
    )


def mean_of_last(returns: Sequence[float], episodes: Sequence[int], window: int) -> list[float]:
    """Average over as many of the last intervals as hold ``window`` episodes.

    Args:
        returns: Mean return of the episodes that ended in each interval.
        episodes: How many those were.
        window: Number of episodes; more are taken where an interval can't be divided.

    Returns:
        For each interval, the mean over it and those before it, weighted by their episodes.
    """
    means, start, number, total = [], 0, 0, 0.0
    for value, count in zip(returns, episodes, strict=True):
        number, total = number + count, total + value * count
        while number - episodes[start] >= window:
            number, total = number - episodes[start], total - returns[start] * episodes[start]
            start += 1
        means.append(total / number)
    return means


def _draw(figure: Figure, curves: Sequence[Curve], title: str, labels: Mapping[str, str]) -> None:
    axes = figure.add_subplot()
    faint = len(curves) <= _FAINT
    for index, curve in enumerate(curves):
        _draw_curve(axes, curve, index, labels.get(curve.name, ""), faint)
    axes.set_xlabel("environment steps of each member")
    axes.set_ylabel("mean return per episode")
    axes.set_title(title, loc="left", fontsize="medium")
    axes.xaxis.set_major_formatter(lambda value, _: step_text(value))
    axes.set_xlim(left=0)
    plain_axes(axes)
    caption = f"line: mean of the last {_WINDOW} episodes"
    figure.supxlabel(
        caption + ("; faint: mean of each interval of the metrics" if faint else ""),
        fontsize="small",
        color="#555555",
    )
    if len(curves) <= _MOST_NAMED:
        axes.legend(frameon=False, fontsize="small")


def _draw_curve(axes: Axes, curve: Curve, index: int, settings: str, faint: bool) -> None:
    colour = COLOURS[index % len(COLOURS)]
    if faint:
        axes.plot(curve.steps, curve.returns, color=colour, alpha=0.2, linewidth=0.7)
    axes.plot(
        curve.steps,
        mean_of_last(curve.returns, curve.episodes, _WINDOW),
        color=colour,
        linestyle=STYLES[index // len(COLOURS) % len(STYLES)],
        linewidth=1.8,
        marker=MARKERS[index % len(MARKERS)],
        markersize=5,
        markevery=_marked(len(curve.steps), index),
        label=f"{curve.name}: {settings}" if settings else curve.name,
    )


def _marked(points: int, index: int) -> tuple[int, int]:
    """Mark about six points, of each line others, so that marks do not cover each other."""
    return max(1, points // 30) * (index % 5), max(1, points // 6)


def _describe(run: Path) -> tuple[str, dict[str, str]]:
    """Say what was trained in, with what all members share, and what sets each apart."""
    title = str(_read_json(run / "run.json").get("environment", {}).get("name", ""))
    members: list[dict[str, Any]] = _read_json(run / "summary.json").get("members", [])
    shared, rest = split_settings([member["settings"] for member in members])
    if shared:
        title = "\n".join([title, *textwrap.wrap(settings_text(shared), 100)])
    texts = map(settings_text, rest)
    return title, {member["name"]: text for member, text in zip(members, texts, strict=True)}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
