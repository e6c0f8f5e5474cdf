"""One agent of Coterie against Stable-Baselines3's PPO on one core, in turn: A B A B.

The job: one PPO agent on CartPole-v1, 16 instances, separate 64x64 tanh networks, rollouts of 128
steps, 4 epochs of 4 mini-batches. ``own``: Stable-Baselines3 steps its instances one after the
other, as its users know it; ``same``: it steps gymnasium's vectorised CartPole, as Coterie does.
Steady state: the difference of two run lengths.

Stable-Baselines3 must be installed beside Coterie (``nox -s peers`` does that). Prints a table
and, last, a JSON object.
"""

from __future__ import annotations

from _pairs import compare, keep_to_one_core, seconds_per_step
from attrs import frozen


@frozen
class Case:
    """What is compared.

    Attributes:
        env: ``"own"`` or ``"gymnasium"``: how Stable-Baselines3 steps the instances.
        instances: How many there are.
        lengths: Timesteps of the short and the long run.
    """

    env: str
    instances: int = 16
    lengths: tuple[int, int] = (1024, 4096)

    def pair(self) -> tuple[float, float]:
        """Measure both sides, in environment steps per second."""
        size = {"instances": self.instances, "threads": 1}
        ours = {**size, "agents": 1, "trainer": "sequential"}
        jobs = ("coterie", ours), ("sb3", {**size, "env": self.env})
        speeds = [self.instances / seconds_per_step(*job, *self.lengths) for job in jobs]
        return speeds[0], speeds[1]


CASES = {"own instances": Case("own"), "same instances": Case("gymnasium")}

if __name__ == "__main__":
    keep_to_one_core()
    compare(CASES, "SB3", __doc__)
