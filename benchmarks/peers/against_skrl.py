"""Coterie's trainers against skrl's, doing the same work in turn: A B A B, medians and ratios.

The job: N PPO agents on gymnasium's CartPole-v1, 16 instances each, separate 64x64 tanh networks,
rollouts of 128 steps, 4 epochs of 4 mini-batches (the two ``*_job.py``). Two ways to look at it:

- ``met``: as a user meets it; 1,000 steps, start-up included, threads at their defaults;
- ``steady``: the difference of two run lengths, so without start-up, one thread per process.

``fused`` is held against skrl's sequential trainer: skrl has nothing like it. skrl must be
installed beside Coterie (``nox -s peers`` does that). Prints a table and, last, a JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from attrs import frozen

FOLDER = Path(__file__).parent


@frozen
class Case:
    """What is compared.

    Attributes:
        look: ``"met"`` or ``"steady"``.
        ours: Coterie's trainer.
        theirs: skrl's trainer.
        agents: Number of agents.
        instances: Instances of each.
    """

    look: str
    ours: str
    theirs: str
    agents: int = 4
    instances: int = 16

    def speed(self, job: str) -> float:
        """Environment steps per second, summed over the agents.

        Args:
            job: ``"coterie"`` or ``"skrl"``.
        """
        together = self.instances * self.agents
        if self.look == "met":
            return together * 1000 / self.seconds(job, 1000, 0)
        slow = (job, self.theirs) == ("skrl", "parallel")
        short, long = (256, 768) if slow else (512, 2048)
        return (
            together * (long - short) / (self.seconds(job, long, 1) - self.seconds(job, short, 1))
        )

    def seconds(self, job: str, steps: int, threads: int) -> float:
        """Run one job in a process of its own; return the seconds that training took."""
        options = {
            "trainer": self.ours if job == "coterie" else self.theirs,
            "agents": self.agents,
            "instances": self.instances,
            "steps": steps,
            "threads": threads,
        }
        command = [sys.executable, str(FOLDER / f"{job}_job.py")]
        command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return float(json.loads(line)["seconds"])


CASES = {
    "met, parallel, 4 agents": Case("met", "parallel", "parallel"),
    "steady, parallel, 4 agents": Case("steady", "parallel", "parallel"),
    "steady, sequential, 4 agents": Case("steady", "sequential", "sequential"),
    "steady, fused, 4 agents": Case("steady", "fused", "sequential"),
    "steady, fused, 16 agents": Case("steady", "fused", "sequential", 16),
    "steady, fused, 16 agents of 4": Case("steady", "fused", "sequential", 16, 4),
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
        case = CASES[name]
        pairs = [(case.speed("coterie"), case.speed("skrl")) for _ in range(chosen.pairs)]
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(left / right for left, right in pairs)
        print(f"{name:<30}{ours:>12,.0f}{theirs:>12,.0f}{ratio:>8.1f}", flush=True)
        results[name] = {"coterie": ours, "skrl": theirs, "ratio": ratio, "pairs": pairs}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
