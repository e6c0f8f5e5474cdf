"""Coterie's trainers against skrl's, doing the same work in turn: A B A B, medians and ratios.

The job: N PPO agents on gymnasium's CartPole-v1, 16 instances each, separate 64x64 tanh networks,
rollouts of 128 steps, 4 epochs of 4 mini-batches (the two ``*_job.py``). Two ways to look at it:

- ``met``: as a user meets it; 1,000 steps, start-up included, threads at their defaults;
- ``steady``: the difference of two run lengths, so without start-up, one thread per process.

skrl must be installed beside Coterie (``nox -s peers`` does that). Prints a table and, last, a JSON
object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
INSTANCES = 16


def run(job: str, trainer: str, agents: int, steps: int, threads: int) -> float:
    """Run one job in a process of its own; return the seconds that training took."""
    command = [sys.executable, str(FOLDER / f"{job}_job.py"), "--trainer", trainer]
    command += ["--agents", str(agents), "--steps", str(steps), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return float(json.loads(line)["seconds"])


def met(job: str, trainer: str, agents: int) -> float:
    """Environment steps per second of a whole short run."""
    return INSTANCES * agents * 1000 / run(job, trainer, agents, 1000, 0)


def steady(job: str, trainer: str, agents: int) -> float:
    """Environment steps per second between two lengths of a run."""
    short, long = (256, 768) if (job, trainer) == ("skrl", "parallel") else (512, 2560)
    seconds = run(job, trainer, agents, long, 1) - run(job, trainer, agents, short, 1)
    return INSTANCES * agents * (long - short) / seconds


CASES = {
    "met, parallel, 4 agents": (met, "parallel", 4),
    "steady, parallel, 4 agents": (steady, "parallel", 4),
    "steady, sequential, 4 agents": (steady, "sequential", 4),
}


def main() -> None:
    """Measure the cases in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--case", choices=sorted(CASES), action="append")
    chosen = parser.parse_args()
    results = {}
    print(f"{'case':<30}{'Coterie':>12}{'skrl':>12}{'ratio':>8}   steps/s, medians of pairs")
    for name in chosen.case or CASES:
        measure, trainer, agents = CASES[name]
        pairs = [
            (measure("coterie", trainer, agents), measure("skrl", trainer, agents))
            for _ in range(chosen.pairs)
        ]
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(left / right for left, right in pairs)
        print(f"{name:<30}{ours:>12,.0f}{theirs:>12,.0f}{ratio:>8.1f}", flush=True)
        results[name] = {"coterie": ours, "skrl": theirs, "ratio": ratio, "pairs": pairs}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
