"""Pictures of a machine's results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._cases import BAR, Case
from ._contenders import CONTENDERS, Contender
from ._store import Job
from ._summary import Spread, learned, of, spread

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555", "#000000")
MARKERS = "os^vDPX*<>"
OURS, PEERS = "-", "--"

Measure = Callable[[Sequence[Job]], Spread | None]


def figure(panels: int, height: float = 5.0) -> tuple[Any, list[Any]]:
    """Make a figure with panels side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(5.0 * panels + 3.5, height), dpi=110, layout="constrained")
    FigureCanvasAgg(made)
    return made, list(made.subplots(1, panels, squeeze=False)[0])


def style(contender: Contender) -> dict[str, Any]:
    """Give a contender's line: solid for Coterie, dashed for peers, the same in every picture."""
    number = CONTENDERS.index(contender)
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": OURS if contender.maker == "coterie" else PEERS,
        "linewidth": 1.4,
        "markersize": 5,
    }


def tidy(axes: Any, title: str, across: str, up: str, grid: str = "y") -> None:
    """Name the axes, take the frame away, and draw lines across one of the axes."""
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, linewidth=0.4, alpha=0.5)


def lines(
    axes: Any, jobs: Sequence[Job], cases: Sequence[Case], across: str, measure: Measure
) -> None:
    """Draw a line per contender, with bars from the least to the greatest.

    Args:
        axes: Where.
        jobs: All of a machine.
        cases: The points.
        across: Name of the case's number that they differ in.
        measure: What is drawn.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    for contender in CONTENDERS:
        found = [(case, measure(of(jobs, contender.name, case))) for case in cases]
        points = [(getattr(case, across), at) for case, at in found if at]
        if points:
            middles = [at.middle for _, at in points]
            bars = [
                [at.middle - at.low for _, at in points],
                [at.high - at.middle for _, at in points],
            ]
            where = [place for place, _ in points]
            axes.errorbar(where, middles, bars, label=contender.label, **style(contender))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    ticks = sorted({getattr(case, across) for case in cases})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])


def scaling(
    jobs: Sequence[Job],
    panels: Sequence[tuple[str, Sequence[Case]]],
    across: str,
    words: tuple[str, str],
    measures: Sequence[Measure],
    path: Path,
) -> None:
    """Draw something against the number of agents or instances.

    Args:
        jobs: All of a machine.
        panels: Title and points of each panel.
        across: Name of the case's number along the axis.
        words: What the axes are called.
        measures: What each panel shows.
        path: File to write.
    """
    made, places = figure(len(panels))
    handles: dict[str, Any] = {}
    for axes, (title, cases), measure in zip(places, panels, measures, strict=True):
        lines(axes, jobs, cases, across, measure)
        tidy(axes, title, words[0], words[1])
        handles |= dict(
            reversed(pair) for pair in zip(*axes.get_legend_handles_labels(), strict=True)
        )
    made.legend(handles.values(), handles.keys(), loc="outside right", frameon=False, fontsize=8)
    made.savefig(path)


def learning(jobs: Sequence[Job], case: Case, path: Path) -> None:
    """Draw how long each contender took to learn, and how its agents did meanwhile."""
    made, (left, right) = figure(2)
    shown = [(c, of(jobs, c.name, case)) for c in CONTENDERS]
    shown = [(c, found) for c, found in shown if found]
    for place, (contender, found) in enumerate(reversed(shown)):
        half = learned(found)[0]
        if half:
            low, high = half.middle - half.low, half.high - half.middle
            left.barh(place, half.middle, xerr=[[low], [high]], color=style(contender)["color"])
        curve = found[-1].curve
        if curve:
            seconds, _, means = zip(*curve, strict=True)
            told = {**style(contender), "marker": ""}
            right.plot(seconds, means, label=contender.label, **told)
    left.set_yticks(range(len(shown)), [c.label for c, _ in reversed(shown)], fontsize=8)
    right.axhline(BAR, color="#555555", linewidth=0.8, linestyle=":")
    tidy(left, f"until half of {case.agents} agents reach {BAR:g}", "seconds", "", grid="x")
    tidy(right, "the agents trained first or together, last job", "seconds", "mean return")
    made.savefig(path)


def memory(jobs: Sequence[Job]) -> Spread | None:
    """Sum up the memory of jobs."""
    return spread([job.memory for job in jobs if job.memory and job.outcome == "done"])


def first_action(jobs: Sequence[Job]) -> Spread | None:
    """Sum up the start-up of jobs."""
    return spread([job.first_action for job in jobs if job.first_action])


def first_update(jobs: Sequence[Job]) -> Spread | None:
    """Sum up the time until the first update of jobs is done."""
    return spread([job.first_update for job in jobs if job.first_update])
