"""How far a trainer is, over all its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from .capture import Position

if TYPE_CHECKING:
    from .session import Session


@define
class Standing:
    """How far a trainer is, over all its runs of training.

    Attributes:
        timestep: Timesteps done.
        resets: How often the environment was reset.
        seconds: Seconds of training.
        run_seconds: Seconds of the last run.
        span: Where the count of the last run's timesteps starts and ends.
        resumed: What is left to do of a run that was taken over; ``None``: nothing.
    """

    timestep: int = 0
    resets: int = 0
    seconds: float = 0.0
    run_seconds: float = 0.0
    span: tuple[int, int] = (0, 0)
    resumed: Position | None = None

    def position(self) -> Position:
        """Describe it for a checkpoint."""
        first, stop = self.span
        return Position(
            timestep=self.timestep,
            first_timestep=first,
            timesteps=stop,
            resets=self.resets,
            seconds=self.seconds,
            run_seconds=self.run_seconds,
        )

    def take_over(self, position: Position) -> None:
        """Go to where a checkpoint is."""
        self.timestep, self.resets = position.timestep, position.resets
        self.seconds, self.run_seconds = position.seconds, position.run_seconds
        self.span = position.first_timestep, position.timesteps
        self.resumed = position if position.unfinished else None

    def take_resumed(self) -> Position | None:
        """Hand over what was left of a run that was taken over."""
        resumed, self.resumed = self.resumed, None
        return resumed

    def note_end(self, session: Session) -> None:
        """Count a run of training that ended."""
        recorder = session.recorder
        self.timestep = recorder.timestep
        self.span = session.run.first_timestep, session.run.timesteps
        self.run_seconds = recorder.run_seconds
        self.seconds += recorder.wall_time
