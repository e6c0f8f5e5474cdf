"""Members: agents with a place in the population."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from attrs import define, field

from .._agents.interface import Agent
from .._errors import WorkerError
from .._types import State

Status: TypeAlias = Literal["active", "failed", "stopped"]


@define(kw_only=True, eq=False)
class Member:
    """An agent with its place in the population.

    Attributes:
        index: Position in the population.
        name: Name, unique in the population.
        agent: The caller's agent object.
        scope: Rows of the environment's tensors that are its own.
        seed: The agent's seed.
        status: ``"active"``; ``"failed"`` or ``"stopped"``: frozen, its scope acts at random.
        failure: What happened to a failed member.
        reason: Why a stopped member was stopped.
        streams: State of the member's process-wide generators between runs; ``None`` before
            the first, and for agents that do not use them.
    """

    index: int
    name: str
    agent: Agent
    scope: slice
    status: Status = "active"
    failure: WorkerError | None = None
    reason: str = ""
    streams: State | None = field(default=None, repr=False)

    @property
    def active(self) -> bool:
        """Whether the member acts and learns."""
        return self.status == "active"

    @property
    def note(self) -> str:
        """Why the member does not act, in one line; empty for one that does."""
        return self.reason if self.failure is None else str(self.failure.args[0])

    @property
    def seed(self) -> int:
        """The agent's seed."""
        return self.agent.seed

    @property
    def num_envs(self) -> int:
        """Number of instances in the scope."""
        return int(self.scope.stop - self.scope.start)

    @property
    def device(self) -> torch.device:
        """The agent's device."""
        return self.agent.device
