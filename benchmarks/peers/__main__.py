"""The same work under Coterie and under other libraries, in turn: A B A B.

Results gather in ``benchmarks.json``; tables and pictures are made from all of them, so a run may
be partial, and a later one goes on where it stopped::

    python -m benchmarks.peers --list                 what there is, and what is left to do
    python -m benchmarks.peers                        everything that is left
    python -m benchmarks.peers --minutes 45           as much of it as 45 minutes allow
    python -m benchmarks.peers --quick                a few minutes, into build/benchmarks
    python -m benchmarks.peers --only steady --populations 4 16 --pairs 5 --peers skrl sb3
    python -m benchmarks.peers --render               only the page and its pictures

A job that is run again (``--again``) takes the place of its former results.
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, fields_dict

from ._cases import INSTANCES, LIMITS, POPULATIONS, Case, all_cases, quick_cases
from ._contenders import CONTENDERS, LABELS, ROOT, Contender
from ._environments import EnvironmentFailedError, find_python
from ._machine import commit, describe_machine, name_of
from ._page import write
from ._plan import Step, minutes, plan
from ._process import run_job
from ._store import Job, Results, load, merge, save, without

PAIRS = 3


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    about, _, more = (__doc__ or "").partition("\n")
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="bench", description=about, epilog=more, formatter_class=plain
    )
    peers = sorted({c.maker for c in CONTENDERS} - {"coterie"})
    add = parser.add_argument
    add("--list", action="store_true", help="show cases and what is left of them; run nothing")
    add("--quick", action="store_true", help="few cases, one round, into build/benchmarks")
    add("--render", action="store_true", help="make the page anew; run nothing")
    add("--only", nargs="+", choices=sorted(LIMITS), help="measures")
    add("--populations", nargs="+", type=int, choices=POPULATIONS)
    add("--instances", nargs="+", type=int, choices=INSTANCES)
    add("--cores", nargs="+", type=int, choices=(1, 2))
    add("--devices", nargs="+", choices=("cpu", "cuda"))
    add("--peers", nargs="*", choices=peers, help="libraries beside Coterie")
    add("--contenders", nargs="+", choices=list(LABELS), help="some of them by name")
    add("--pairs", type=int, help=f"rounds; {PAIRS} unless told")
    add("--minutes", type=float, help="start no job after that many minutes")
    add("--again", action="store_true", help="run what is there already once more")
    add("--into", type=Path, help="folder of benchmarks.md and benchmarks.json; docs unless told")
    add("--merge", nargs="+", type=Path, default=[], help="take over results of other machines")
    add("--python", action="append", default=[], metavar="NAME=PATH", help="use this environment")
    return parser.parse_args(given)


def chosen_cases(options: argparse.Namespace) -> list[Case]:
    """List the cases that the options leave."""
    wanted = {
        "measure": options.only,
        "agents": options.populations,
        "instances": options.instances,
        "cores": options.cores,
        "device": options.devices,
    }
    cases = quick_cases() if options.quick else all_cases()
    limits = {name: values for name, values in wanted.items() if values}
    return [c for c in cases if all(getattr(c, name) in some for name, some in limits.items())]


def chosen_contenders(options: argparse.Namespace) -> list[Contender]:
    """List the contenders that the options leave; Coterie's take part with any peers."""
    if options.contenders:
        return [c for c in CONTENDERS if c.name in options.contenders]
    if options.peers is None:
        return list(CONTENDERS)
    return [c for c in CONTENDERS if c.maker in {"coterie", *options.peers}]


def run_step(step: Step, machine: str, pythons: dict[str, Path]) -> Job:
    """Run a job and note what it came to."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0
    contender = step.contender
    try:
        python = find_python(contender.environment, pythons)
    except EnvironmentFailedError as error:
        told: dict[str, Any] = {"outcome": "failed", "reason": f"not installed: {error}"}
    else:
        told = run_job(python, contender.job, contender.told(step.case, step.round))
    known = {name: value for name, value in told.items() if name in fields_dict(Job)}
    job = Job(
        machine=machine,
        contender=contender.name,
        case=step.case,
        round=step.round,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        load=load,
        **known,
    )
    ours = contender.maker == "coterie" and job.versions
    found = commit() if ours else None
    return evolve(job, versions={**job.versions, "coterie commit": found}) if found else job


def tell(step: Step, job: Job | None = None) -> None:
    """Say what is being run, or what it came to."""
    if job is None:
        print(
            f"{step.round + 1}  {step.case.name:<28}{step.contender.name:<26}", end="", flush=True
        )
        return
    speed = f"{job.speed:>12,.0f} steps/s" if job.speed else f"{'':>20}"
    learned = f"  {sum(map(bool, job.reached))} learned" if step.case.measure == "learn" else ""
    said = "" if job.outcome == "done" else f"  {job.outcome} {job.reason}"
    print(f"{speed}{job.memory:>8,.0f} MiB{job.whole:>8.1f} s{learned}{said}", flush=True)


def show_list(
    cases: Sequence[Case], contenders: Sequence[Contender], steps: Sequence[Step], refuses: Any
) -> None:
    """Print what there is, what can't be done, and what is left to do."""
    for case in cases:
        left = [step.contender.name for step in steps if step.case == case]
        print(f"{case.name}: {len(left)} jobs to do")
        for contender in contenders:
            reason = refuses(contender, case)
            state = f"can't: {reason}" if reason else f"{left.count(contender.name)} to do"
            print(f"    {contender.name:<30}{state}")


def main(given: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    options = arguments(given)
    folder = options.into or (ROOT / "build" / "benchmarks" if options.quick else ROOT / "docs")
    path = folder / "benchmarks.json"
    results = load(path)
    for other in options.merge:
        results = merge(results, load(other))
    if options.merge or options.render:
        save(results, path)
        write(results, folder)
        return
    machine = describe_machine()
    name = name_of(machine)
    cases, contenders = chosen_cases(options), chosen_contenders(options)
    if options.again or options.quick:
        results = without(results, [(name, c.name, case) for c in contenders for case in cases])
    there = [job for job in results.jobs if job.machine == name]

    def refuses(contender: Contender, case: Case) -> str | None:
        return contender.refusal(case, cuda=bool(machine["gpu"]), cores=machine["cores"])

    pairs = options.pairs or (1 if options.quick else PAIRS)
    steps = list(plan(cases, contenders, pairs, there, refuses))
    if options.list:
        show_list(cases, contenders, steps, refuses)
    print(f"{len(steps)} jobs to do, about {minutes(steps, there):.0f} minutes", flush=True)
    if not options.list:
        results = merge(results, Results(machines={name: machine}))
        work(steps, results, name, path, options)


def work(
    steps: Sequence[Step], results: Results, name: str, path: Path, options: argparse.Namespace
) -> None:
    """Run jobs, keep what they came to after each, and make the page at the end.

    Args:
        steps: The jobs.
        results: What is there already.
        name: Name of this machine.
        path: File of the results.
        options: The command line's.
    """
    pythons = {key: Path(value) for key, _, value in (one.partition("=") for one in options.python)}
    end = time.monotonic() + 60 * (options.minutes or float("inf"))
    hopeless = set()
    try:
        for step in steps:
            if (step.case, step.contender.name) in hopeless:
                continue
            if time.monotonic() > end:
                print("the minutes are over; the same command goes on from here")
                break
            tell(step)
            job = run_step(step, name, pythons)
            tell(step, job)
            if job.outcome != "done":
                hopeless.add((step.case, step.contender.name))
            results = merge(results, Results(jobs=(job,)))
            save(results, path)
    finally:
        save(results, path)
        write(results, path.parent)


if __name__ == "__main__":
    main()
