"""Where islands run: what a trainer with islands needs of a cluster."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Sequence
from typing import Any

from .records import Answer


class IslandHost(abc.ABC):
    """Starts islands somewhere and carries calls to them.

    An island is an :class:`~coterie.islands.Island` in a process of its own. It must be given
    the calls of one trainer in the order in which they were made, one at a time; whatever
    :meth:`Island.answer` returns is the answer.
    """

    @abc.abstractmethod
    def room(self) -> int:
        """How many islands there is room for, at least 1."""

    def prepare(self, count: int) -> None:
        """Get ready for islands, before the first is started.

        Args:
            count: How many there will be.

        Raises:
            ConfigError: There will never be room for them.
        """

    @abc.abstractmethod
    def start(self, number: int, blueprint: bytes, *, again: bool) -> None:
        """Begin to start an island; calls may be made at once.

        Args:
            number: Which island; one of that number that was there before is gone.
            blueprint: What it is built from, for :class:`~coterie.islands.Island`.
            again: Whether it was lost: it takes what is left of the cluster.
        """

    @abc.abstractmethod
    def call(self, number: int, name: str, argument: Any) -> Hashable:
        """Make a call, without waiting for its answer.

        Args:
            number: Which island.
            name: Name of the call, for :meth:`Island.answer`.
            argument: Its argument.

        Returns:
            A ticket for :meth:`wait`.
        """

    @abc.abstractmethod
    def wait(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
        """Wait until at least one call is over, one way or the other, or the time is.

        Args:
            tickets: The calls to look at.
            seconds: How long to wait.

        Returns:
            The tickets of those that are over.
        """

    @abc.abstractmethod
    def result(self, ticket: Any) -> Answer:
        """Return the answer to a call that is over.

        Raises:
            IslandLost: The island is gone; the message says how.
        """

    def where(self, number: int) -> str:
        """Say where an island is, for messages; empty: not known."""
        return ""

    @abc.abstractmethod
    def stop(self, number: int) -> None:
        """End an island at once, whatever it is doing. One that is gone already is fine."""

    @abc.abstractmethod
    def close(self) -> None:
        """End all islands and give everything back. Calling it again does nothing."""
