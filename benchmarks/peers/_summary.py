"""From jobs to figures: medians, spread, ratios of pairs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from attrs import frozen

from ._cases import Case
from ._store import Job


@frozen
class Spread:
    """Some numbers.

    Attributes:
        middle: Their median.
        low: The least.
        high: The greatest.
        count: How many there are.
    """

    middle: float
    low: float
    high: float
    count: int


def spread(numbers: Sequence[float]) -> Spread | None:
    """Sum numbers up; ``None``: there are none."""
    if not numbers:
        return None
    return Spread(statistics.median(numbers), min(numbers), max(numbers), len(numbers))


def of(jobs: Sequence[Job], contender: str, case: Case) -> list[Job]:
    """Pick the jobs of a contender and a case, by rounds."""
    found = (job for job in jobs if job.contender == contender and job.case == case)
    return sorted(found, key=lambda job: job.round)


def speeds(jobs: Sequence[Job]) -> Spread | None:
    """Sum up the speeds of jobs, in environment steps per second."""
    return spread([job.speed for job in jobs if job.speed is not None])


def ratios(first: Sequence[Job], second: Sequence[Job]) -> Spread | None:
    """Sum up the first's speed over the second's, round by round.

    Only rounds that both have count: their jobs ran one soon after the other.
    """
    others = {job.round: job.speed for job in second}
    pairs = [(job.speed, others.get(job.round)) for job in first]
    return spread([ours / theirs for ours, theirs in pairs if ours and theirs])


def learned(jobs: Sequence[Job]) -> tuple[Spread | None, Spread | None, int, int]:
    """Sum up learning.

    Returns:
        Seconds from the start of a job until half of its agents had learned the task, over the
        jobs where they did; environment steps that an agent needed, over the agents that learned
        it; how many agents did, and how many there were.
    """
    halves, steps, agents = [], [], 0
    for job in jobs:
        asked = job.case.agents
        times = sorted(entry[0] for entry in job.reached if entry)
        half = (asked + 1) // 2
        if len(times) >= half:
            halves.append(times[half - 1])
        steps += [entry[1] for entry in job.reached if entry]
        agents += asked
    return spread(halves), spread(steps), len(steps), agents
