"""What the comparisons share: jobs in processes of their own, pairs of them, a table."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

FOLDER = Path(__file__).parent


class Case(Protocol):
    """One comparison."""

    def pair(self) -> tuple[float, float]:
        """Measure Coterie and the peer once, in turn; more is better."""
        ...


def run_job(script: str, options: Mapping[str, Any]) -> dict[str, float]:
    """Run a job in a process of its own.

    Args:
        script: Name of the script, without ``_job.py``.
        options: What it is told on its command line.

    Returns:
        The numbers that it printed, and ``"process"``: seconds from its start to its end.
    """
    command = [sys.executable, str(FOLDER / f"{script}_job.py")]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return {**json.loads(line), "process": seconds}


def seconds_per_step(script: str, options: Mapping[str, Any], short: int, long: int) -> float:
    """Find what a timestep costs in steady state: the difference of two run lengths."""
    first, second = (run_job(script, {**options, "steps": n})["seconds"] for n in (short, long))
    return (second - first) / (long - short)


def keep_to_one_core() -> None:
    """Let this process and the jobs, which it starts, use one core only, where that is known."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def compare(cases: Mapping[str, Case], peer: str, about: str, unit: str = "steps/s") -> None:
    """Measure the cases that the command line asks for; print a table and a JSON object.

    Args:
        cases: By name.
        peer: Name of the other side.
        about: What the script does.
        unit: Of the numbers.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--case", choices=sorted(cases), action="append")
    chosen = parser.parse_args()
    results = {}
    print(f"{'case':<42}{'Coterie':>12}{peer:>12}{'ratio':>8}   {unit}, medians of pairs")
    for name in chosen.case or cases:
        pairs = [cases[name].pair() for _ in range(chosen.pairs)]
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(left / right for left, right in pairs)
        print(f"{name:<42}{ours:>12,.0f}{theirs:>12,.0f}{ratio:>8.2f}", flush=True)
        results[name] = {"coterie": ours, peer: theirs, "ratio": ratio, "pairs": pairs}
    print(json.dumps(results))
