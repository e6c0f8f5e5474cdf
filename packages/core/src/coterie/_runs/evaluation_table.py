"""The table that ends an evaluation over a number of episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from .records import MemberSummary, Summary
from .results import EpisodeResults
from .table import text_table

_WIDTH = 80
_NUMBERS = ("mean", "std", "median", "iqm", "minimum", "maximum", "mean_length")
_HEADINGS = ("episodes", "mean", "std", "median", "IQM", "min", "max", "length")


def evaluation_table(
    summary: Summary, groups: Mapping[str, Sequence[MemberSummary]] | None = None
) -> str:
    """Lay out an evaluation: returns over the episodes of each member, and their mean length.

    Args:
        summary: The evaluation.
        groups: Members by what stands above them; ``None``: those of the summary, with nothing.

    Returns:
        Lines of at most 80 letters, unless numbers or names are very long.
    """
    chosen = {"": summary.members} if groups is None else groups
    blocks = [_indented(members) if label else list(members) for label, members in chosen.items()]
    lines = _table([member for block in blocks for member in block]).split("\n")
    found = lines[:2]
    rest = lines[2:]
    tall = len(rest) // max(1, sum(map(len, blocks)))
    for label, block in zip(chosen, blocks, strict=True):
        found += [label] if label else []
        found += rest[: tall * len(block)]
        rest = rest[tall * len(block) :]
    members = [(label, member) for label, own in chosen.items() for member in own]
    found += [_remark(label, member, summary.timesteps) for label, member in members]
    return "\n".join(line for line in found if line)


def _indented(members: Sequence[MemberSummary]) -> list[MemberSummary]:
    return [evolve(member, name=f"  {member.name}") for member in members]


def _table(members: Sequence[MemberSummary]) -> str:
    """The table alone; where names are too long for it, each stands in a line of its own."""
    results = [member.evaluation for member in members]
    digits = _digits([one for one in results if one is not None])
    rows = [_row(one, digits) for one in results]
    named = [[member.name, *row] for member, row in zip(members, rows, strict=True)]
    columns = set(range(1, 1 + len(_HEADINGS)))
    text = text_table(("member", *_HEADINGS), named, columns)
    if max(map(len, text.splitlines())) <= _WIDTH:
        return text
    below = text_table(("  ", *_HEADINGS), [["  ", *row] for row in rows], columns).splitlines()
    heading, rule, *lines = below
    pairs = zip(members, lines, strict=True)
    return "\n".join([heading, rule, *(f"{m.name}\n{line}" for m, line in pairs)])


def _row(results: EpisodeResults | None, digits: int) -> list[str]:
    if results is None:
        return ["-"] * len(_HEADINGS)
    numbers = [getattr(results, name) for name in _NUMBERS]
    return [str(len(results.returns)), *(_number(number, digits) for number in numbers)]


def _digits(results: Sequence[EpisodeResults]) -> int:
    """How many digits stand behind the point: fewer for larger returns."""
    largest = max((abs(value) for one in results for value in one.returns), default=0.0)
    return 3 if largest < 1 else 2 if largest < 100 else 1


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.4g}"


def _remark(label: str, member: MemberSummary, timesteps: int) -> str:
    name = f"{label}, {member.name}" if label else member.name
    if member.failure is not None:
        return f"{name}: {member.failure}"
    results = member.evaluation
    if results is None or results.complete:
        return ""
    return (
        f"{name}: {len(results.returns)} of {results.asked} episodes ended in {timesteps:,} "
        "timesteps;\n  those that are missing are the longer ones: raise --timesteps"
    )
