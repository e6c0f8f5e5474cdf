"""Findings laid out for people, within 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from .finding import Finding, Section

_WIDTH = 80
_TITLES: dict[Section, str] = {
    "versions": "versions",
    "machine": "machine",
    "limits": "limits and folders",
    "cuda": "CUDA",
    "plugins": "plugins",
    "trainers": "trainers, a few seconds each",
}


def heading(section: Section) -> str:
    """Write the line above a section."""
    return _TITLES[section]


def describe(finding: Finding) -> str:
    """Write a finding, in one line or more."""
    return _wrap(f"  {finding.verdict:<7}  ", f"{finding.name}: {finding.value}", 11)


def conclude(findings: Iterable[Finding]) -> str:
    """Write what there is to change: first what does not work, then the rest."""
    advised = [finding for finding in findings if finding.advice]
    chosen = sorted(advised, key=lambda finding: finding.verdict != "problem")
    if not chosen:
        return "Nothing needs to be changed."
    lines = ["What to change"]
    for number, finding in enumerate(chosen, 1):
        lines.append(_wrap(f"  {number}. ", f"{finding.advice}{_when(finding)}", 5))
    return "\n".join(lines)


def outputs(findings: Sequence[Finding]) -> list[str]:
    """List what processes that failed have printed, for ``--debug``."""
    return [
        f"{finding.name} printed:\n{textwrap.indent(finding.facts['output'], '    ')}"
        for finding in findings
        if finding.facts.get("output")
    ]


def _when(finding: Finding) -> str:
    return "" if finding.verdict == "problem" else " (if it matters to you)"


def _wrap(start: str, text: str, indent: int) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )
