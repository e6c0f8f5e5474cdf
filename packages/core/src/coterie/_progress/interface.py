"""What shows how far a run is."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from attrs import field, frozen

from .._runs.records import MetricRow

_log = logging.getLogger("coterie")


@frozen
class MemberView:
    """How a member is doing.

    Attributes:
        status: ``"active"``, ``"failed"`` and so on.
        mean_return: Mean return of its last 100 episodes; ``None``: none ended yet.
    """

    status: str
    mean_return: float | None


@frozen(kw_only=True)
class View:
    """How a run is doing.

    Attributes:
        members: The members, in order.
        shares: Fraction of the time per part of the run so far.
    """

    members: Sequence[MemberView]
    shares: Mapping[str, float] = field(factory=dict)


class Progress(abc.ABC):
    """Shows how far a run is."""

    @property
    @abc.abstractmethod
    def due(self) -> bool:
        """Whether :meth:`show` should be called; asked at every timestep."""

    @abc.abstractmethod
    def step(self) -> None:
        """Count one timestep."""

    @abc.abstractmethod
    def show(self, view: View) -> None:
        """Show how the run is doing."""

    def metrics(self, rows: Sequence[MetricRow]) -> None:
        """Take metrics that were written."""

    def checkpoint(self, timestep: int) -> None:
        """Take note that the state after so many timesteps was saved."""

    @abc.abstractmethod
    def close(self) -> None:
        """Leave what was shown last, and the terminal as it was. Idempotent."""


class NoProgress(Progress):
    """Shows nothing."""

    @property
    def due(self) -> bool:
        """Never."""
        return False

    def step(self) -> None:
        """Do nothing."""

    def show(self, view: View) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class GuardedProgress(Progress):
    """Keeps what goes wrong with a terminal, which may be gone at any time, from the run.

    Args:
        inner: What shows the progress; after the first time that it raises, nothing does.
    """

    def __init__(self, inner: Progress) -> None:
        self._inner = inner

    @property
    def due(self) -> bool:
        """Whether :meth:`show` should be called."""
        return self._inner.due

    def step(self) -> None:
        """Count one timestep."""
        try:
            self._inner.step()
        except Exception as error:
            self._give_up(error)

    def show(self, view: View) -> None:
        """Show how the run is doing."""
        self._try(lambda: self._inner.show(view))

    def metrics(self, rows: Sequence[MetricRow]) -> None:
        """Take metrics that were written."""
        self._try(lambda: self._inner.metrics(rows))

    def checkpoint(self, timestep: int) -> None:
        """Take note that the state after so many timesteps was saved."""
        self._try(lambda: self._inner.checkpoint(timestep))

    def close(self) -> None:
        """Leave what was shown last, and the terminal as it was."""
        self._try(lambda: self._inner.close())

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        broken, self._inner = self._inner, NoProgress()
        with suppress(Exception):
            broken.close()
        _log.warning("the progress is not shown any more: %s: %s", type(error).__name__, error)
