"""What all pictures of runs share: colours, marks, scales, and how they are saved."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette for colour-blind readers, without yellow, which does not show on paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("-", "--", ":", "-.")
DPI = 150
_OURS: Any = {
    "svg.hashsalt": "coterie",  # the same picture has the same bytes
    "text.parse_math": False,  # a dollar sign in a name is one
}


@contextmanager
def drawing(extra: str) -> Iterator[None]:
    """Draw as matplotlib does by default, whatever the user has set, and put that back.

    Args:
        extra: The extra of core that brings matplotlib, for the message.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib
        import matplotlib.backends.backend_agg
        import matplotlib.figure
    except ImportError as error:
        raise ConfigError(
            f'pictures need matplotlib: pip install "coterie-core[{extra}]"'
        ) from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_OURS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure without pyplot; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, png: Path) -> None:
    """Save a figure as PNG, and as SVG beside it, without a date."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing")  # a name in another script
        figure.savefig(png)
        figure.savefig(png.with_suffix(".svg"), metadata={"Date": None})


def plain_axes(axes: Axes, grid: str = "both") -> None:
    """Take what distracts off axes, and give them a faint grid along ``grid``."""
    lines: Any = grid
    axes.grid(axis=lines, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def step_text(value: float) -> str:
    """Write a number of steps shortly: 1500000 is ``1.5M``."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
