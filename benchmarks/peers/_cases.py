"""What is measured: a measure, a population, and what it may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, frozen

POPULATIONS = (1, 4, 16, 64)
INSTANCES = (4, 16, 64)
USUAL_INSTANCES = 16
SCALED_POPULATION = 16
BAR = 475.0
SECONDS = 3.0
LIMITS: Mapping[str, float] = {"steady": 60.0, "learn": 120.0, "whole": 90.0}
"""Seconds after which a job of a measure is ended, from the start of its process."""


@frozen(kw_only=True, order=True)
class Case:
    """One thing that every contender is asked to do.

    Attributes:
        measure: ``"steady"``: steps per second once the first rollout and update are over;
            ``"learn"``: time until the agents have learned the task; ``"whole"``: a given number
            of timesteps from the start of the process on.
        device: ``"cpu"`` or ``"cuda"``.
        cores: Cores that a job may use.
        agents: Number of agents.
        instances: Instances of the environment per agent.
        timesteps: Of a ``"whole"`` job; 0 for others.
        pinned: Whether libraries are told the number of threads; otherwise it is theirs.
    """

    measure: str
    device: str = "cpu"
    cores: int = 1
    agents: int = 4
    instances: int = USUAL_INSTANCES
    timesteps: int = 0
    pinned: bool = True

    @property
    def name(self) -> str:
        """A short name, unique among the cases."""
        where = self.device if self.device != "cpu" else f"cpu{self.cores}"
        tail = f"/{self.timesteps}" if self.timesteps else ""
        return f"{self.measure}/{where}/{self.agents}x{self.instances}{tail}"

    @property
    def size(self) -> int:
        """Environment steps per timestep."""
        return self.agents * self.instances

    def told(self) -> dict[str, Any]:
        """Give what a job is told of it."""
        return {**asdict(self), "bar": BAR, "limit": LIMITS[self.measure], "seconds": SECONDS}


def all_cases() -> list[Case]:
    """List every case, those first that a run which is cut short should have."""
    return [
        *(_steady(agents) for agents in POPULATIONS),
        *(_steady(agents, cores=2) for agents in (4, 16)),
        Case(measure="learn", agents=4),
        Case(measure="whole", cores=2, agents=4, timesteps=1024, pinned=False),
        *(_steady(SCALED_POPULATION, instances=n) for n in INSTANCES if n != USUAL_INSTANCES),
        Case(measure="whole", agents=16, timesteps=2048),
        *(_steady(agents, cores=2) for agents in (1, 64)),
        *(_steady(agents, cores=2, device="cuda") for agents in POPULATIONS),
    ]


def quick_cases() -> list[Case]:
    """List what takes a few minutes."""
    return [_steady(4)]


def _steady(agents: int, **more: Any) -> Case:
    return Case(measure="steady", agents=agents, **more)
