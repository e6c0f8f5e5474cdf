"""The measured part of ``docs/benchmarks.md``, and its pictures."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import _plots
from ._cases import BAR, SCALED_POPULATION, USUAL_INSTANCES, Case, all_cases
from ._contenders import Contender
from ._store import Job, Results
from ._summary import speeds
from ._tables import (
    attribute_cell,
    grid,
    lay_out,
    learning_rows,
    ratio_rows,
    speed_cell,
)

START = "<!-- measured by nox -s bench -->\n"
END = "<!-- end of what was measured -->\n"
SPEED = "environment steps per second"


def refusal(machine: dict[str, Any]) -> Any:
    """Make what says why a contender could not do a case on a machine."""

    def refuses(contender: Contender, case: Case) -> str | None:
        return contender.refusal(case, cuda=bool(machine["gpu"]), cores=machine["cores"])

    return refuses


def text(results: Results) -> str:
    """Write the measured part: a section per machine."""
    parts = [section(name, told, results) for name, told in results.machines.items()]
    return "\n\n".join(parts) + "\n" if parts else "Nothing has been measured yet.\n"


def section(name: str, machine: dict[str, Any], results: Results) -> str:
    """Write the section of a machine."""
    jobs = [job for job in results.jobs if job.machine == name]
    lines = [f"## {title(machine)}", "", *facts(machine, jobs), "", *libraries(jobs)]
    refuses = refusal(machine)
    for heading, cases in steady(machine):
        if seen(jobs, cases):
            heads = [agents(case) for case in cases]
            lines += ["", f"### Steps per second, {heading}", ""]
            lines += grid(jobs, cases, heads, speed_cell, refuses)
            lines += ["", "In pairs, the first over the second:", ""]
            lines += ratio_rows(jobs, cases, heads)
    lines += [*pictures(name, jobs), *instances(jobs, refuses), *start_up(jobs, refuses)]
    lines += [*learned(name, jobs), *whole(jobs, refuses)]
    return "\n".join(lines)


def title(machine: dict[str, Any]) -> str:
    """Name a machine, for people."""
    words = [machine["processor"], f"{machine['cores']} cores", machine["gpu"]]
    return ", ".join(word for word in words if word)


def facts(machine: dict[str, Any], jobs: Sequence[Job]) -> list[str]:
    """Tell what the machine is, when it was measured, and how busy it was."""
    days = sorted({job.date[:10] for job in jobs})
    rounds = 1 + max((job.round for job in jobs), default=-1)
    loads = [job.load for job in jobs] or [0.0]
    return [
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, "
        f"{machine['gpu'] or 'no GPU'}. {len(jobs)} jobs in {rounds} round{'s' * (rounds != 1)}, "
        f"{' to '.join(dict.fromkeys((days[0], days[-1]))) if days else 'never'}; load before a "
        f"job {statistics.median(loads):.1f} in the median and {max(loads):.1f} at most."
    ]


def libraries(jobs: Sequence[Job]) -> list[str]:
    """Tell which versions were measured."""
    kept: dict[str, set[str]] = {}
    for job in jobs:
        for name, version in job.versions.items():
            kept.setdefault(name, set()).add(version)
    rows = [[name, ", ".join(sorted(kept[name]))] for name in sorted(kept)]
    return lay_out(["library", "versions"], rows)


def steady(machine: dict[str, Any]) -> Iterator[tuple[str, list[Case]]]:
    """List the tables of steady speed: what they are called, and their cases."""
    cases = [c for c in all_cases() if c.measure == "steady" and c.instances == USUAL_INSTANCES]
    for device, cores in dict.fromkeys((case.device, case.cores) for case in cases):
        if device == "cuda" and not machine["gpu"]:
            continue
        where = device.upper() if device == "cuda" else f"{cores} core{'s' * (cores > 1)}"
        found = (case for case in cases if (case.device, case.cores) == (device, cores))
        yield where, sorted(found, key=lambda case: case.agents)


def seen(jobs: Sequence[Job], cases: Sequence[Case]) -> bool:
    """Say whether anything of some cases was measured."""
    return any(job.case in cases for job in jobs)


def agents(case: Case) -> str:
    """Tell the number of agents."""
    return f"{case.agents} agent{'s' * (case.agents > 1)}"


def scaled() -> list[Case]:
    """List the cases that differ in the number of instances."""
    found = (c for c in all_cases() if (c.measure, c.device, c.cores) == ("steady", "cpu", 1))
    return sorted((c for c in found if c.agents == SCALED_POPULATION), key=lambda c: c.instances)


def one_core() -> list[Case]:
    """List the cases on one core that differ in the number of agents."""
    found = (c for c in all_cases() if (c.measure, c.device, c.cores) == ("steady", "cpu", 1))
    return [c for c in found if c.instances == USUAL_INSTANCES]


def pictures(name: str, jobs: Sequence[Job]) -> list[str]:
    """Show the pictures of speed, where there is something to be drawn."""
    said = {}
    if seen(jobs, one_core()):
        said["population"] = "Steps per second against the number of agents"
        said["weight"] = "Start-up, first update and memory against the number of agents"
    if seen(jobs, scaled()):
        agents = f"{SCALED_POPULATION} agents"
        said["instances"] = f"Steps per second of {agents} against the number of their instances"
    shown = (f"![{words}]({file(name, kind)})" for kind, words in said.items())
    return [line for picture in shown for line in ("", picture)]


def file(name: str, kind: str) -> str:
    """Name the file of a picture."""
    return f"benchmarks-{name}-{kind}.png"


def instances(jobs: Sequence[Job], refuses: Any) -> list[str]:
    """Tell how speed changes with the number of instances."""
    cases = scaled()
    if not seen(jobs, cases):
        return []
    heads = [f"{case.instances} instances each" for case in cases]
    lines = ["", f"### Instances: {SCALED_POPULATION} agents, 1 core, steps per second", ""]
    lines += grid(jobs, cases, heads, speed_cell, refuses)
    return [*lines, "", "In pairs:", "", *ratio_rows(jobs, cases, heads)]


def start_up(jobs: Sequence[Job], refuses: Any) -> list[str]:
    """Tell how long jobs take to start, and what they weigh."""
    cases = one_core()
    if not seen(jobs, cases):
        return []
    lines = []
    for heading, attribute, digits in (
        ("Seconds from the start of the process to the first step, 1 core", "first_action", 1),
        ("Seconds until the first rollout and its update are done, 1 core", "first_update", 1),
        ("Most memory of all processes, MiB, 1 core", "memory", 0),
    ):
        lines += ["", f"### {heading}", ""]
        cell = attribute_cell(attribute, digits)
        lines += grid(jobs, cases, [agents(case) for case in cases], cell, refuses)
    return lines


def learned(name: str, jobs: Sequence[Job]) -> list[str]:
    """Tell how long it took until the task was learned."""
    lines = []
    for case in all_cases():
        if case.measure == "learn" and seen(jobs, [case]):
            lines += ["", f"### Time to a mean return of {BAR:g}: {agents(case)}, 1 core", ""]
            lines += [*learning_rows(jobs, case), ""]
            lines += [f"![Time to a mean return of {BAR:g}]({file(name, 'learning')})"]
    return lines


def whole(jobs: Sequence[Job], refuses: Any) -> list[str]:
    """Tell the speed of whole jobs."""
    cases = [case for case in all_cases() if case.measure == "whole" and seen(jobs, [case])]
    if not cases:
        return []
    heads = [
        f"{agents(case)}, {case.timesteps * case.size:,} steps, {case.cores} "
        f"core{'s' * (case.cores > 1)}{'' if case.pinned else ', threads as they come'}"
        for case in cases
    ]
    lines = ["", "### Whole jobs, from the start of the process on: steps per second", ""]
    lines += grid(jobs, cases, heads, speed_cell, refuses)
    return [*lines, "", "In pairs:", "", *ratio_rows(jobs, cases, heads)]


def draw(results: Results, folder: Path) -> None:
    """Draw the pictures of every machine."""
    for name, machine in results.machines.items():
        jobs = [job for job in results.jobs if job.machine == name]
        if seen(jobs, one_core()):
            draw_speed(name, machine, jobs, folder)
        if seen(jobs, scaled()):
            panel = [(f"{SCALED_POPULATION} agents, 1 core", scaled())]
            words = ("instances of each agent", SPEED)
            path = folder / file(name, "instances")
            _plots.scaling(jobs, panel, "instances", words, [speeds], path)
        for case in all_cases():
            if case.measure == "learn" and seen(jobs, [case]):
                _plots.learning(jobs, case, folder / file(name, "learning"))


def draw_speed(name: str, machine: dict[str, Any], jobs: Sequence[Job], folder: Path) -> None:
    """Draw the pictures of speed, start-up and memory of a machine."""
    panels = [(heading, cases) for heading, cases in steady(machine) if seen(jobs, cases)]
    measures = [speeds] * len(panels)
    words = ("agents", SPEED)
    _plots.scaling(jobs, panels, "agents", words, measures, folder / file(name, "population"))
    said = ("to the first step, seconds", "until the first update is done, seconds", "memory, MiB")
    panels = [(words, one_core()) for words in said]
    measures = [_plots.first_action, _plots.first_update, _plots.memory]
    _plots.scaling(jobs, panels, "agents", ("agents", ""), measures, folder / file(name, "weight"))


def write(results: Results, folder: Path) -> None:
    """Replace the measured part of ``benchmarks.md`` and the pictures in a folder.

    A folder without the page gets one of the measured part alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "benchmarks.md"
    old = page.read_text(encoding="utf-8") if page.exists() else f"# Benchmarks\n\n{START}{END}"
    before, rest = old.split(START)
    after = rest.split(END)[1]
    page.write_text(f"{before}{START}\n{text(results)}\n{END}{after}", encoding="utf-8")
    draw(results, folder)
