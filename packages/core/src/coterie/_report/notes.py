"""What a report says in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .grouping import repeated_seeds
from .plain import clean
from .records import FEWEST_SEEDS, Group, ReportedRun

CURVES = {
    "steps": "Thick: interquartile mean of each group against environment steps, with its 95 % "
    "interval; dotted where not every member has a value. Thin: the members.",
    "time": "The same against the wall time of the whole run, which its members share.",
}
MEMBERS = (
    "A line per member, a panel per group; grey: the members of other groups and, thick, the "
    "interquartile mean."
)
RESULTS = "Results of the members (dots), their interquartile mean (bar), its 95 % interval."
IMPROVEMENT = (
    "How probable it is that a member of the row's group ends above one of the column's; all "
    "95 % intervals are in improvement.csv."
)
SHARES = "Where the time of each run went."

_FEW_EPISODES = 300
_UNEQUAL = 1.01
_MOST = 12


def warnings(runs: Sequence[ReportedRun], groups: Sequence[Group], metric: str) -> Iterator[str]:
    """Say what should be known before the numbers are used, a sentence at a time.

    Args:
        runs: The runs.
        groups: Their groups.
        metric: Name of the scalar.
    """
    for run in runs:
        yield from (f"Run {run.name} {note}." for note in run.notes)
    if few := [g for g in groups if 0 < len(g.results) < FEWEST_SEEDS]:
        yield f"Fewer than {FEWEST_SEEDS} seeds, and so no interval, in {_of(few)}."
    if none := [g for g in groups if not g.results]:
        yield f"No member has a value of {clean(metric)} in {_of(none)}."
    if repeated := [g for g in groups if repeated_seeds(g)]:
        yield (
            f"Several members have the same seed, and may not be independent, in {_of(repeated)}."
        )
    if unequal := [g for g in groups if _unequal(g)]:
        yield (
            "Members did not get equally far, and each result is that of its own end, in "
            f"{_of(unequal)}."
        )
    if metric.startswith("episode/") and (short := [g for g in groups if _short(g)]):
        yield (
            "There are so few episodes that the last 100, whose mean is the result, reach far "
            f"back: it lags behind the end of the curves, in {_of(short)}."
        )


def _unequal(group: Group) -> bool:
    ends = [member.steps for member in group.members]
    return max(ends) > _UNEQUAL * min(ends)


def _short(group: Group) -> bool:
    return any(m.result is not None and m.episodes < _FEW_EPISODES for m in group.members)


def _of(groups: Sequence[Group]) -> str:
    found = list(dict.fromkeys(group.mark for group in groups))
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"{'groups' if len(found) > 1 else 'group'} {', '.join(found[:_MOST])}{more}"


def method_texts(metric: str) -> dict[str, str]:
    """Say how results and curves are made, for the page."""
    if metric.startswith("episode/"):
        result = "the mean over its last 100 episodes, or a few more where only metrics tell"
        curve = "A value is the mean over the last 20 episodes, or those of an interval if more."
    else:
        result = "the mean of the last 20 values in its metrics"
        curve = "A value is the mean of those in its interval."
    return {"result_text": result, "curve_text": curve}
