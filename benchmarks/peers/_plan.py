"""Which jobs come next: A B A B, round after round, without what is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from ._cases import Case
from ._contenders import Contender
from ._store import Job

MADE = 10.0
"""Seconds that a job is taken for that nobody has seen yet."""


@frozen
class Step:
    """A job that is to be run.

    Attributes:
        round: Which round it belongs to, from 0.
        case: What is to be done.
        contender: By whom.
    """

    round: int
    case: Case
    contender: Contender


def plan(
    cases: Sequence[Case],
    contenders: Sequence[Contender],
    pairs: int,
    there: Sequence[Job],
    refuses: Callable[[Contender, Case], str | None],
) -> Iterator[Step]:
    """Order the jobs that are wanted and not there.

    Within a case the contenders follow each other, so that each is next to whom it is compared
    with; a round goes through all cases before the next one starts, so that a run that is cut
    short has something of everything.

    Args:
        cases: In the order in which they are done.
        contenders: Likewise.
        pairs: Rounds that are wanted.
        there: Jobs of this machine that have been run.
        refuses: Says why a contender can't do a case; ``None``: it can.

    Yields:
        The jobs. One whose first round ended in anything but a result is not repeated: it would
        take its whole time limit again.
    """
    done = {(job.round, job.case, job.contender) for job in there}
    hopeless = {(job.case, job.contender) for job in there if job.outcome != "done"}
    for number in range(pairs):
        for case in cases:
            for contender in contenders:
                key = (case, contender.name)
                if (number, *key) in done or key in hopeless or refuses(contender, case):
                    continue
                yield Step(number, case, contender)


def minutes(steps: Sequence[Step], there: Sequence[Job]) -> float:
    """Estimate how long jobs will take, by those that have been run."""
    known = {(job.case, job.contender): job.whole for job in there}
    return sum(known.get((s.case, s.contender.name), MADE) for s in steps) / 60
