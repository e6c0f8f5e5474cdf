"""Results: a file that grows, job by job, and that a later run goes on with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from ._cases import Case

FORMAT = 1


@frozen(kw_only=True)
class Job:
    """What a job came to.

    Attributes:
        machine: Name of the machine.
        contender: Name of the contender.
        case: What was asked.
        round: Round that it belongs to.
        date: When, ISO 8601.
        outcome: ``"done"``; ``"limit"``: its time was over, figures are of the time it had;
            ``"memory"`` or ``"failed"``, with a reason and without figures.
        reason: Why there are no figures.
        steps: Environment steps between the marks, summed over the agents.
        seconds: Time between the marks.
        total_steps: Environment steps of the whole job.
        first_action: Seconds from the start of the process to the first step.
        first_update: Seconds from the start of the process until the first update is done.
        compile: Seconds of compiling, where the library tells.
        whole: Seconds from the start of the process to its result.
        memory: Most MiB that its processes held together.
        reached: Per agent: seconds and its environment steps when it had learned the task.
        curve: Seconds, environment steps of an agent, and mean return, while learning.
        load: Load of the machine in the minute before.
        versions: Of the libraries; of Coterie the commit too.
    """

    machine: str
    contender: str
    case: Case
    round: int
    date: str
    outcome: str
    reason: str = ""
    steps: int = 0
    seconds: float = 0.0
    total_steps: int = 0
    first_action: float | None = None
    first_update: float | None = None
    compile: float | None = None
    whole: float = 0.0
    memory: float = 0.0
    reached: list[list[float] | None] = field(factory=list)
    curve: list[list[float]] = field(factory=list)
    load: float = 0.0
    versions: dict[str, str] = field(factory=dict)

    @property
    def key(self) -> tuple[str, str, Case, int]:
        """What no two jobs of a file have in common."""
        return self.machine, self.contender, self.case, self.round

    @property
    def speed(self) -> float | None:
        """Environment steps per second, summed over the agents; ``None``: not even one step."""
        if self.case.measure == "steady":
            return self.steps / self.seconds if self.steps else None
        return self.total_steps / self.whole if self.total_steps else None


@frozen(kw_only=True)
class Results:
    """All that was measured.

    Attributes:
        machines: What each machine is, by name.
        jobs: What was run on them.
    """

    machines: dict[str, dict[str, Any]] = field(factory=dict)
    jobs: tuple[Job, ...] = ()


def merge(first: Results, second: Results) -> Results:
    """Put results together; of two runs of the same job the later one counts.

    The jobs come out sorted, so that a file of them changes only where something was measured.
    """
    kept: dict[Any, Job] = {}
    for job in (*first.jobs, *second.jobs):
        if job.key not in kept or job.date >= kept[job.key].date:
            kept[job.key] = job
    order = sorted(kept.values(), key=lambda job: (job.machine, job.case, job.contender, job.round))
    return Results(machines={**first.machines, **second.machines}, jobs=tuple(order))


def without(results: Results, keys: Iterable[tuple[str, str, Case]]) -> Results:
    """Leave out all rounds of some machines, contenders and cases."""
    gone = set(keys)
    jobs = (job for job in results.jobs if job.key[:3] not in gone)
    return Results(machines=results.machines, jobs=tuple(jobs))


def load(path: Path) -> Results:
    """Read results; there are none where there is no file.

    Raises:
        ValueError: The file is of another format.
    """
    if not path.exists():
        return Results()
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw["format"] != FORMAT:
        raise ValueError(f"{path} has format {raw['format']}, this reads {FORMAT}; measure anew")
    return Results(machines=raw["machines"], jobs=tuple(map(_job, raw["jobs"])))


def save(results: Results, path: Path) -> None:
    """Write results, a job per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    empty = asdict(
        Job(machine="", contender="", case=Case(measure=""), round=-1, date="", outcome="")
    )

    def plain(job: Job) -> str:
        told = {k: v for k, v in asdict(job).items() if v != empty[k]}
        return json.dumps({**told, "case": asdict(job.case)})

    head = json.dumps({"format": FORMAT, "machines": results.machines})
    lines = ",\n".join(map(plain, results.jobs))
    path.write_text(f'{head[:-1]}, "jobs": [\n{lines}\n]}}\n', encoding="utf-8")


def _job(raw: Mapping[str, Any]) -> Job:
    return Job(**{**raw, "case": Case(**raw["case"])})
