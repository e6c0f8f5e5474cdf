"""Coterie's ``fused`` against rejax on one core, doing the same work in turn: A B A B.

The job: N PPO agents on CartPole, separate 64x64 tanh networks, rollouts of 128 steps, 4 epochs of
4 mini-batches. rejax compiles agents and environment into one program; on our side the
environment is the torch-native one. Ways to look at it:

- ``steady``: without start-up: the difference of two run lengths for Coterie, the time of the
  compiled program for rejax;
- ``compiled``: likewise, with ``compile_update``;
- ``whole job``: a million steps, from the start of the process to its end, imports, compiling and
  all; told in steps per second.

rejax must be installed beside Coterie (``nox -s peers`` does that). Prints a table and, last, a
JSON object.
"""

from __future__ import annotations

from typing import Any

from _pairs import compare, keep_to_one_core, run_job, seconds_per_step
from attrs import frozen

MILLION = 1 << 20


@frozen
class Case:
    """What is compared.

    Attributes:
        whole: Whether start-up and compiling count.
        agents: Number of agents.
        instances: Instances of each.
        steps: Timesteps of a long run in steady state; a short one has a quarter.
        compiled: Whether Coterie compiles its update.
    """

    whole: bool = False
    agents: int = 16
    instances: int = 16
    steps: int = 2048
    compiled: bool = False

    def pair(self) -> tuple[float, float]:
        """Measure both sides, in environment steps per second summed over the agents."""
        size = {"agents": self.agents, "instances": self.instances}
        ours: dict[str, Any] = {
            **size,
            "env": "torch:CartPole-v1",
            "trainer": "fused",
            "threads": 1,
        }
        ours.update(threads=1, compile=int(self.compiled))
        return self._speed("coterie", ours), self._speed("rejax", size)

    def _speed(self, job: str, options: dict[str, Any]) -> float:
        together = self.agents * self.instances
        if self.whole:
            steps = -(-MILLION // (together * 128)) * 128
            return together * steps / run_job(job, {**options, "steps": steps})["process"]
        if job == "rejax":
            done = run_job(job, {**options, "steps": self.steps})
            return together * self.steps / done["seconds"]
        return together / seconds_per_step(job, options, self.steps // 4, self.steps)


CASES = {
    "steady, 16 agents": Case(),
    "compiled, 16 agents": Case(compiled=True),
    "steady, 4 agents": Case(agents=4),
    "steady, 16 agents of 4": Case(instances=4),
    "whole job, 16 agents": Case(whole=True),
}

if __name__ == "__main__":
    keep_to_one_core()
    compare(CASES, "rejax", __doc__)
