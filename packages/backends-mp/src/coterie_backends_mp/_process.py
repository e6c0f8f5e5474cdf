"""The trainer's handle on one worker process."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define

from coterie import Member

from ._board import Row
from ._channel import Channel
from ._messages import Exited
from ._signal import Signal


@define(eq=False, kw_only=True)
class Process:
    """A worker process and the members that live in it.

    Attributes:
        number: Number of the worker.
        pid: Process id.
        members: The members that were placed in it.
        channel: To the worker.
        go: Wakes it up.
        row: What it says about itself in the shared block.
        asked: Number of the last round that it was woken up for.
        exited: How it ended; ``None``: it lives.
        has_ticket: Whether it was given what it needs to map the memory of a device.
    """

    number: int
    pid: int
    members: Sequence[Member]
    channel: Channel
    go: Signal
    row: Row
    asked: int = 0
    exited: Exited | None = None
    has_ticket: bool = False

    @property
    def living(self) -> list[Member]:
        """Members that have not failed."""
        return [member for member in self.members if member.active]

    @property
    def answered(self) -> bool:
        """Whether it has answered the last round that it was woken up for."""
        return self.row.answered == self.asked

    @property
    def booting(self) -> bool:
        """Whether it is getting ready to run its members."""
        return self.row.phase in ("start", "load")

    @property
    def place(self) -> tuple[str, int | None, Member | None]:
        """Phase and timestep that it is in, and the member whose turn it is."""
        if self.answered:
            return "idle", self.row.timestep, None
        culprit = next((m for m in self.members if m.index == self.row.member), None)
        return self.row.phase, self.row.timestep, culprit

    def ask(self, number: int) -> None:
        """Ask it to take part in a round; it sees that when it looks, or wakes up."""
        self.asked = self.row.asked = number

    def wake(self, number: int) -> None:
        """Wake it up for a round."""
        self.ask(number)
        self.go.send()

    def close(self) -> None:
        """Give its descriptors back."""
        self.channel.close()
        self.go.close()
        self.row.release()
