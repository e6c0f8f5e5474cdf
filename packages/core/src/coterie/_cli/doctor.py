"""``coterie doctor``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import asdict, frozen

from .failures import CONFIGURATION, FINE, MEMBER, PLUGIN, debugging
from .folders import RUNS
from .options import Flag

if TYPE_CHECKING:
    from .._doctor.finding import Finding

_FORMAT = 1
_CODES = {"plugins": PLUGIN, "trainers": MEMBER}

_ABOUT = """Look at this machine and this installation, and say what to change.

  coterie doctor
  coterie doctor --json > doctor.json

Each trainer that is installed is tried for a few seconds.

Exit codes:
  0 nothing is broken; otherwise 2 machine or settings, 3 a plugin, 5 a trainer:
  the largest, where there are several"""


@frozen(kw_only=True)
class Doctor:
    """Look at this machine and this installation, and say what to change.

    Attributes:
        json: Print JSON in place of text.
        no_trials: Do not try the trainers.
        debug: Show what the processes of trials that failed have printed, and tracebacks.
    """

    about: ClassVar[str] = _ABOUT
    json: Flag = False
    no_trials: Flag = False
    debug: Flag = False

    def run(self) -> int:
        """Look, tell, and return the exit code."""
        from .._doctor.examine import examine

        findings = examine(RUNS, trials=not self.no_trials)
        if self.json:
            found = list(findings)
            print(json.dumps(content(found), indent=2, default=str))
        else:
            found = _tell(findings, debugging(self.debug))
        return code(found)


def content(findings: Sequence[Finding]) -> dict[str, Any]:
    """Turn findings into plain values: what ``--json`` prints."""
    from .._runs.directory import finite

    plain: dict[str, Any] = finite(
        {
            "format": _FORMAT,
            "problems": sum(finding.verdict == "problem" for finding in findings),
            "exit_code": code(findings),
            "findings": [asdict(finding) for finding in findings],
        }
    )
    return plain


def code(findings: Iterable[Finding]) -> int:
    """Choose the exit code: the largest of those that problems ask for."""
    codes = [
        _CODES.get(finding.section, CONFIGURATION)
        for finding in findings
        if finding.verdict == "problem"
    ]
    return max(codes, default=FINE)


def _tell(findings: Iterable[Finding], debug: bool) -> list[Finding]:
    """Print each finding as soon as it is there, then what to change; return them all."""
    from .._doctor.text import conclude, describe, heading, outputs

    found: list[Finding] = []
    for finding in findings:
        if not found or found[-1].section != finding.section:
            print(heading(finding.section))
        print(describe(finding), flush=True)
        found.append(finding)
    for text in outputs(found) if debug else ():
        print(f"\n{text}")
    print(f"\n{conclude(found)}")
    return found
