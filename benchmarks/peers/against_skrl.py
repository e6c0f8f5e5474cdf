"""Coterie's trainers against skrl's, doing the same work in turn: A B A B, medians and ratios.

The job: N PPO agents on gymnasium's CartPole-v1, 16 instances each, separate 64x64 tanh networks,
rollouts of 128 steps, 4 epochs of 4 mini-batches (the two ``*_job.py``). Two ways to look at it:

- ``met``: as a user meets it; 1,000 steps, start-up included, threads at their defaults;
- ``steady``: the difference of two run lengths, so without start-up, one thread per process.

``fused`` is held against skrl's sequential trainer: skrl has nothing like it. skrl must be
installed beside Coterie (``nox -s peers`` does that). Prints a table and, last, a JSON object.
"""

from __future__ import annotations

from typing import Any

from _pairs import compare, run_job, seconds_per_step
from attrs import frozen


@frozen
class Case:
    """What is compared.

    Attributes:
        look: ``"met"`` or ``"steady"``.
        ours: Coterie's trainer.
        theirs: skrl's trainer.
        agents: Number of agents.
        instances: Instances of each.
        processes: Worker processes of Coterie's ``parallel`` with stacks inside; 0: no stacks.
    """

    look: str
    ours: str
    theirs: str
    agents: int = 4
    instances: int = 16
    processes: int = 0

    def pair(self) -> tuple[float, float]:
        """Measure both sides, in environment steps per second summed over the agents."""
        return self._speed("coterie", self.ours), self._speed("skrl", self.theirs)

    def _speed(self, job: str, trainer: str) -> float:
        options: dict[str, Any] = {
            "trainer": trainer,
            "agents": self.agents,
            "instances": self.instances,
        }
        if job == "coterie" and self.processes:
            options |= {"processes": self.processes}
        together = self.instances * self.agents
        if self.look == "met":
            done = run_job(job, {**options, "steps": 1000, "threads": 0})
            return together * 1000 / done["seconds"]
        # skrl takes long for these.
        slow = job == "skrl" and (trainer == "parallel" or self.agents > 4)
        lengths = (256, 768) if slow else (512, 2048)
        return together / seconds_per_step(job, {**options, "threads": 1}, *lengths)


CASES = {
    "met, parallel, 4 agents": Case("met", "parallel", "parallel"),
    "steady, parallel, 4 agents": Case("steady", "parallel", "parallel"),
    "steady, sequential, 4 agents": Case("steady", "sequential", "sequential"),
    "steady, fused, 4 agents": Case("steady", "fused", "sequential"),
    "steady, fused, 16 agents": Case("steady", "fused", "sequential", 16),
    "steady, fused, 16 agents of 4": Case("steady", "fused", "sequential", 16, 4),
    "steady, fused in 2 processes, 16 agents": Case(
        "steady", "parallel", "sequential", 16, processes=2
    ),
}

if __name__ == "__main__":
    compare(CASES, "skrl", __doc__)
