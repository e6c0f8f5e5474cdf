"""Try every trainer that is installed, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .._registry.manager import registry
from .child import Outcome, run_child
from .finding import Finding, Verdict

_finding = partial(Finding, "trainers")

SECONDS = 2.5
"""How long a trainer trains in its trial, beside its start."""

LIMIT = 90.0
"""After how many seconds a trial counts as hung: importing torch can take long on slow disks."""

_HINTS = (
    ("SIGKILL", "the system may have run out of memory"),
    ("SIGBUS", "shared memory may be full"),
    ("SIGILL", "a library was built for another processor"),
    ("SIGSEGV", "a compiled library is broken, or does not fit another"),
)


def check_trainers(
    limit: float = LIMIT, run: Callable[..., Outcome] = run_child
) -> Iterator[Finding]:
    """Try each trainer; give one finding per trainer as soon as it is there.

    Args:
        limit: Seconds after which a trial counts as hung.
        run: What runs a trial.
    """
    for name in registry().names("trainer"):
        arguments = [name, str(SECONDS), str(max(1.0, limit - 2))]
        yield judge_trial(name, run("trial", arguments, limit))


def judge_trial(name: str, outcome: Outcome) -> Finding:
    """Judge how the trial of a trainer ended.

    Args:
        name: Name of the trainer.
        outcome: How the process ended that tried it.
    """
    found = outcome.answer
    if found is None:
        hint = next((text for word, text in _HINTS if word in outcome.failure), "")
        again = "coterie doctor --debug shows what it printed"
        facts: dict[str, Any] = {"failure": outcome.failure, "output": outcome.output}
        advice = f"{name}: {hint + '; ' if hint else ''}{again}"
        return _finding(name, _told(outcome), "problem", advice, facts)
    if "refused" in found:
        text = " ".join(found["refused"].split())
        advice = f"{name} can't be tried without settings of yours, or is broken; see its manual"
        return _finding(name, text, "note", advice, found)
    return _finding(name, _result(name, found), *_verdict(name, found), found)


def _verdict(name: str, found: dict[str, Any]) -> tuple[Verdict, str]:
    if found["equal"] is False:
        return "problem", (
            f"{name} promises the bits that sequential gives, and gave others: please report it, "
            "with the output of coterie doctor --json"
        )
    if not found["learned"]:
        return "problem", f"{name} trained, but agents came back unchanged: please report it"
    return "ok", ""


def _result(name: str, found: dict[str, Any]) -> str:
    text = f"{found['speed']:,} steps/s"
    if found["equal"] is True:
        text += f", the same bits {'again' if name == 'sequential' else 'as sequential'}"
    elif found["equal"] is False:
        text += ", other bits than sequential"
    if found["driven"]:
        text += ", step by step"
    return text if found["learned"] else f"{text}, learned nothing"


def _told(outcome: Outcome) -> str:
    """The failure, and the last line of what was printed where that tells an exception."""
    last = outcome.output.splitlines()[-1].strip() if outcome.output else ""
    return f"{outcome.failure}: {last}" if "exit code" in outcome.failure else outcome.failure
