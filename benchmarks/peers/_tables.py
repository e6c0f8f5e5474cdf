"""Tables of Markdown, each a grid of contenders and cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import Factory, frozen

from ._cases import Case
from ._contenders import CONTENDERS, LABELS, RATIOS, Contender
from ._store import Job
from ._summary import Spread, learned, of, ratios, speeds, spread

CUT = "†"
NOT_YET = "not measured"
Refusal = Callable[[Contender, Case], str | None]


@frozen
class Notes:
    """Reasons that stand in cells as letters, and below the table in words.

    Attributes:
        letters: Letter of each reason, in the order in which they came.
    """

    letters: dict[str, str] = Factory(dict)

    def mark(self, reason: str) -> str:
        """Give the letter of a reason."""
        return self.letters.setdefault(reason, chr(ord("a") + len(self.letters)))

    def lines(self) -> list[str]:
        """List them."""
        return [f"- {letter}: {reason}" for reason, letter in self.letters.items()]


def lay_out(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a table."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def show(found: Spread | None, digits: int = 0) -> str:
    """Show a median, and the least and the greatest where there are several."""
    if found is None:
        return NOT_YET
    middle = f"{found.middle:,.{digits}f}"
    if found.count == 1:
        return middle
    return f"{middle} ({found.low:,.{digits}f} to {found.high:,.{digits}f})"


def grid(
    jobs: Sequence[Job],
    cases: Sequence[Case],
    heads: Sequence[str],
    cell: Callable[[Sequence[Job]], str],
    refuses: Refusal,
) -> list[str]:
    """Lay out a table with a row per contender and a column per case, and its notes.

    A contender that has nothing in any column has no row, unless it refuses one of them.

    Args:
        jobs: All of a machine.
        cases: The columns.
        heads: What they are called.
        cell: Shows the jobs of a contender and a case, of which there is at least one.
        refuses: Says why a contender can't do a case.
    """
    notes = Notes()

    def fill(contender: Contender, case: Case) -> str:
        found = of(jobs, contender.name, case)
        if not found:
            reason = refuses(contender, case)
            return f"- ({notes.mark(reason)})" if reason else NOT_YET
        if found[-1].outcome in ("failed", "memory"):
            return f"- ({notes.mark(f'{contender.label}: {found[-1].reason}')})"
        return cell(found)

    rows = [[c.label, *(fill(c, case) for case in cases)] for c in CONTENDERS]
    rows = [row for row in rows if any(text != NOT_YET for text in row[1:])]
    return [*lay_out(["", *heads], rows), "", *notes.lines()]


def speed_cell(jobs: Sequence[Job]) -> str:
    """Show speeds; a dagger says that the time limit came first."""
    if all(job.speed is None for job in jobs):
        return f"none {CUT}"
    cut = f" {CUT}" if any(job.outcome == "limit" for job in jobs) else ""
    return show(speeds(jobs)) + cut


def attribute_cell(name: str, digits: int) -> Callable[[Sequence[Job]], str]:
    """Make a cell that shows a number of each job."""

    def cell(jobs: Sequence[Job]) -> str:
        found = [getattr(job, name) for job in jobs]
        seen = spread([number for number in found if number])
        return show(seen, digits) if seen else f"not reached {CUT}"

    return cell


def ratio_rows(jobs: Sequence[Job], cases: Sequence[Case], heads: Sequence[str]) -> list[str]:
    """Lay out the ratios of the pairs that are told."""
    rows = []
    for ours, theirs in RATIOS:
        found = [ratios(of(jobs, ours, case), of(jobs, theirs, case)) for case in cases]
        if any(found):
            cells = (show(one, 2) if one else "-" for one in found)
            rows.append([f"{LABELS[ours]} over {LABELS[theirs]}", *cells])
    return lay_out(["", *heads], rows)


def learning_rows(jobs: Sequence[Job], case: Case) -> list[str]:
    """Lay out how long it took to learn the task."""
    rows = []
    for contender in CONTENDERS:
        found = of(jobs, contender.name, case)
        if not found:
            continue
        if found[-1].outcome == "failed":
            rows.append([contender.label, f"failed: {found[-1].reason}", "-", "-", "-"])
            continue
        half, steps, some, agents = learned(found)
        cut = f" {CUT}" if any(job.outcome == "limit" for job in found) else ""
        times = [show(half, 1) if half else f"not reached{cut}", show(steps) if steps else "-"]
        rows.append([contender.label, *times, f"{some} of {agents}{cut}", str(len(found))])
    head = ["", "seconds until half of the agents have", "steps of an agent", "have", "jobs"]
    return lay_out(head, rows)
