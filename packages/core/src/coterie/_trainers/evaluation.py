"""What an evaluation counts and shows beyond what every run does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .._envs.boundary import Boundary
from .._errors import ConfigError
from .._runs.counted import CountedEpisodes
from .members import Member

if TYPE_CHECKING:
    from .session import Session


@frozen
class Evaluation:
    """What is wanted of an evaluation.

    Attributes:
        members: The population.
        counted: Where the episodes of each member are counted; ``None``: all timesteps are made.
        on_picture: Takes the environment's pictures; ``None``: nobody does.
    """

    members: Sequence[Member]
    counted: Sequence[CountedEpisodes] | None
    on_picture: Callable[[Any], bool] | None

    def watch(self, session: Session) -> None:
        """Let a run hand its pictures over, and end when every episode is there."""
        session.on_picture = self.on_picture
        if self.counted is not None:
            session.enough = self._complete

    def _complete(self) -> bool:
        pairs = zip(self.members, self.counted or (), strict=True)
        return all(own.complete or not member.active for member, own in pairs)


def plan_evaluation(
    members: Sequence[Member],
    episodes: int | None,
    on_picture: Callable[[Any], bool] | None,
) -> Evaluation:
    """Plan an evaluation; arguments as for :meth:`Trainer.eval`.

    Raises:
        ConfigError: ``episodes`` is not a number of at least 1.
    """
    if episodes is None:
        return Evaluation(members, None, on_picture)
    if isinstance(episodes, bool) or not isinstance(episodes, int) or episodes < 1:
        raise ConfigError(f"episodes must be a number of at least 1, got {episodes!r}")
    counted = [CountedEpisodes(episodes, member.scope) for member in members]
    return Evaluation(members, counted, on_picture)


@contextmanager
def training_kept(boundary: Boundary, members: Sequence[Member]) -> Iterator[None]:
    """Put the training aside for an evaluation: its episodes, and who was stopped.

    Members that were stopped take part. Episodes go on afterwards where the environment can save
    its state.

    Args:
        boundary: The environment, where training left it.
        members: The population.
    """
    env = boundary.env
    goes_on = boundary.live and env.saves_state
    state = (env.state_dict(), boundary.state_dict()) if goes_on else None
    stopped = [member for member in members if member.status == "stopped"]
    for member in stopped:
        member.status = "active"
    try:
        yield
    finally:
        for member in stopped:
            member.status = "stopped" if member.failure is None else member.status
        if state is not None:
            env.load_state_dict(state[0])
            boundary.load_state_dict(state[1])
