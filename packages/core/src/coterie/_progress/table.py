"""The live table as lines of text with styles, made to fit a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from rich.cells import set_cell_size
from rich.text import Text

from .history import sparkline
from .state import MemberState, RunState

_GAP = "  "
_NARROWEST_NAME, _WIDEST_NAME, _NARROWEST_SPARK, _WIDEST_SPARK = 8, 32, 4, 40
_NARROWEST_BAR, _WIDEST_BAR = 5, 20
_STYLES = {"failed": "bold red", "stopped": "yellow", "active": "green"}


@frozen(kw_only=True)
class Columns:
    """How wide the columns are that adapt; 0 leaves one out.

    Attributes:
        name: Names of the members.
        spark: Their returns so far.
        loss: Their losses.
        loss_title: Heading of the losses.
    """

    name: int
    spark: int
    loss: int
    loss_title: str


def lines_of(state: RunState, width: int, height: int, ascii_only: bool = False) -> list[Text]:
    """Lay the table out.

    Args:
        state: What is shown.
        width: Columns of the terminal.
        height: Its lines; the table takes one less, for the cursor.
        ascii_only: Whether to use characters that every terminal has.
    """
    columns = fit(state, width)
    shown = rows_shown(state.members, max(1, height - 4))
    lines = [_first_line(state, width, ascii_only), _second_line(state), _heading(columns)]
    lines += [_row(member, state, columns, ascii_only) for member in shown]
    hidden = len(state.members) - len(shown)
    if hidden:
        lines.append(_rest(state.members, shown))
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    return lines


def fit(state: RunState, width: int) -> Columns:
    """Say how wide the columns are in a terminal of a width."""
    names = {member.loss[0] for member in state.members if member.loss}
    title = names.pop() if len(names) == 1 else "loss"
    loss = max(9, min(len(title), 11)) if any(member.loss for member in state.members) else 0
    longest = max((len(member.info.name) for member in state.members), default=0)
    room = width - len(_GAP) * (4 + bool(loss)) - 7 - 8 - 8 - loss
    name = max(_NARROWEST_NAME, min(longest, _WIDEST_NAME, max(room // 2, room - 16)))
    spark = min(_WIDEST_SPARK, room - name)
    return Columns(
        name=name, spark=spark if spark >= _NARROWEST_SPARK else 0, loss=loss, loss_title=title
    )


def rows_shown(members: Sequence[MemberState], room: int) -> list[MemberState]:
    """Choose the members that are shown, in order: where not all fit, the best and the worst too.

    Args:
        members: All members.
        room: Lines that there are; one of them is needed to tell of those not shown.
    """
    if len(members) <= room:
        return list(members)
    known = [member for member in members if member.mean_return is not None]
    ranked = sorted(known, key=lambda member: member.mean_return or 0.0, reverse=True)
    count = max(1, room - 1)
    extremes = [*ranked[:1], *ranked[1:][-1:]] if count > 2 else []
    chosen = {id(member) for member in extremes}
    for member in members:
        if len(chosen) >= count:
            break
        chosen.add(id(member))
    return [member for member in members if id(member) in chosen]


def _first_line(state: RunState, width: int, ascii_only: bool) -> Text:
    done, total = state.done, state.total
    left = "?" if not state.pace else clock((total - done) / state.pace)
    counts = f"{done:,}/{total:,}{_GAP}{clock(state.seconds)}<{left}"
    line = Text(state.run.mode, style="bold")
    room = width - len(line) - len(counts) - 2 * len(_GAP)
    name = state.run.environment.rpartition(":")[2][: max(0, room)]
    line.append(f" {name}{_GAP}", style="not bold")
    cells = min(_WIDEST_BAR, room - len(name) - 1)
    if cells >= _NARROWEST_BAR:
        full, empty = ("#", ".") if ascii_only else ("━", "─")
        filled = round(cells * done / max(total, 1))
        line.append(full * filled, style="not bold cyan")
        line.append(empty * (cells - filled) + _GAP, style="not bold dim")
    return line.append(counts, style="not bold")


def _second_line(state: RunState) -> Text:
    parts = [f"{short(state.pace * state.run.num_envs)} steps/s"]
    parts += [f"{name} {share:.0%}" for name, share in state.shares.items() if "/" not in name]
    if state.checkpoint is not None:
        parts.append(f"checkpoint at {state.checkpoint:,}")
    return Text(_GAP.join(parts), style="dim")


def _heading(columns: Columns) -> Text:
    cells = [f"{'member':<{columns.name}}", f"{'status':<7}", f"{'return':>8}"]
    cells += [f"{'so far':<{columns.spark}}"] if columns.spark else []
    cells += [set_cell_size(f"{columns.loss_title:>{columns.loss}}", columns.loss)] * bool(
        columns.loss
    )
    cells += [f"{'steps/s':>8}"]
    return Text(_GAP.join(cells), style="bold")


def _row(member: MemberState, state: RunState, columns: Columns, ascii_only: bool) -> Text:
    line = Text(_shortened(member.info.name, columns.name, ascii_only))
    line.append(_GAP).append(f"{member.status[:7]:<7}", style=_STYLES.get(member.status, ""))
    value = "-" if member.mean_return is None else number(member.mean_return)
    line.append(f"{_GAP}{value:>8}")
    if columns.spark:
        drawn = sparkline(member.history.points(), columns.spark, ascii_only)
        line.append(_GAP).append(f"{drawn:<{columns.spark}}", style="cyan")
    if columns.loss:
        loss = "-" if member.loss is None else f"{member.loss[1]:.3g}"
        line.append(f"{_GAP}{loss:>{columns.loss}}")
    pace = "-" if member.status != "active" else short(state.pace * member.info.num_envs)
    return line.append(f"{_GAP}{pace:>8}")


def _rest(members: Sequence[MemberState], shown: Sequence[MemberState]) -> Text:
    seen = {id(member) for member in shown}
    hidden = [member for member in members if id(member) not in seen]
    failed = sum(member.status == "failed" for member in hidden)
    text = f"and {len(hidden)} more" + (f", {failed} of them failed" if failed else "")
    return Text(f"{text}; the best and the worst are among those shown", style="dim")


def _shortened(name: str, width: int, ascii_only: bool) -> str:
    if len(name) <= width:
        return set_cell_size(name, width)
    sign = "~" if ascii_only else "…"
    tail = width // 3
    return set_cell_size(name[: width - tail - 1] + sign + name[-tail:], width)


def number(value: float) -> str:
    """Write a return in at most eight characters."""
    if abs(value) < 100:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < 10_000 else f"{value:.3g}"


def short(value: float) -> str:
    """Write a rate shortly: 15300 is ``15.3k``."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def clock(seconds: float) -> str:
    """Write a duration: ``1:02:03``, or ``2d 03h``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d {hours % 24:02d}h"
    return f"{hours}:{minutes:02d}:{rest:02d}"
