"""A member in a worker: its driver, and where its actions go."""

from __future__ import annotations

from typing import Any

import torch

from coterie import Interface, Member, MemberDriver
from coterie.spaces import leaf_of, space_leaves

from ._board import Row
from ._messages import Open, SeatSpec
from ._packing import pack, to_cpu, unpack


class ReportingDriver(MemberDriver):
    """A driver that lets the trainer see what it is doing, even after this process was killed.

    Args:
        row: Where it notes that.
        member: The member.
        interface: Spaces, number of instances and device of the environment.
        message: How it shall act.
    """

    def __init__(self, row: Row, member: Member, interface: Interface, message: Open) -> None:
        self._row = row
        super().__init__(
            member,
            interface,
            message.mode,
            deterministic=message.deterministic,
            debug=message.debug,
        )

    @property
    def phase(self) -> str:
        """What the member is doing."""
        return self._row.phase

    @phase.setter
    def phase(self, phase: str) -> None:
        self._row.phase = phase

    @property
    def timestep(self) -> int | None:
        """The timestep that the member is at."""
        return self._timestep

    @timestep.setter
    def timestep(self, timestep: int | None) -> None:
        self._timestep = timestep
        self._row.timestep = timestep


class Seat:
    """A member in a worker.

    Args:
        row: Where the worker notes what it is doing.
        spec: The member.
        interface: Spaces, number of instances and device of the environment.
        message: How it shall act.
        actions: Where its actions go, tensors ``[n, ...]`` of the shared block.
    """

    def __init__(
        self, row: Row, spec: SeatSpec, interface: Interface, message: Open, actions: Any
    ) -> None:
        self.index, self.name = spec.index, spec.name
        agent = unpack(spec.agent)
        member = Member(
            index=spec.index,
            name=spec.name,
            agent=agent,
            scope=slice(spec.first, spec.stop),
            streams=None if spec.streams is None else unpack(spec.streams),
        )
        self.agent = agent
        self.uses_infos = bool(agent.uses_infos)
        self.driver = ReportingDriver(row, member, interface, message)
        self._targets: list[tuple[torch.Tensor, Any]] = [
            (leaf_of(actions, leaf.path), leaf.path)
            for leaf in space_leaves(interface.action_space)
        ]

    def put(self, actions: Any) -> None:
        """Write actions to the shared block."""
        if isinstance(actions, torch.Tensor):
            self._targets[0][0].copy_(actions)
            return
        for target, path in self._targets:
            target.copy_(leaf_of(actions, path))

    def metrics(self, _: bytes | None) -> dict[str, float]:
        """Hand over the agent's scalars."""
        return self.driver.metrics()

    def snapshot(self, _: bytes | None) -> bytes:
        """Hand over the member's state, in the main memory."""
        state = self.driver.snapshot()
        with self.driver.during("state"):
            return pack(to_cpu(state))

    def restore(self, state: bytes | None) -> None:
        """Take over a state."""
        assert state is not None
        self.driver.restore(unpack(state))

    def reconfigure(self, settings: bytes | None) -> None:
        """Change settings of the agent."""
        assert settings is not None
        with self.driver.during("reconfigure"):
            self.agent.reconfigure(unpack(settings))
