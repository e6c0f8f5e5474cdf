"""Configuration of trainers with islands. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from .._config.validators import at_least, more_than
from .._trainers.cfg import TrainerCfg


def _islands(instance: Any, attribute: Any, value: Any) -> None:
    if value != "auto" and value < 1:
        raise ValueError('at least 1, or "auto"')


@frozen(kw_only=True)
class IslandTrainerCfg(TrainerCfg):
    """What a trainer with islands can be told, beside what every trainer can.

    Attributes:
        islands: Number of islands, at most one per member; ``"auto"``: as many as there is room.
        inside: Name of the trainer whose executor runs the members of each island, such as
            ``"sequential"``, ``"parallel"`` or ``"fused"``.
        inside_cfg: Settings of that trainer that others do not have.
        stretch: The most timesteps that an island trains between two exchanges; ``None``: about
            as many as take a second. The results do not depend on it.
        ahead: The most stretches that an island is ahead of the slowest: so long the others do not
            wait for one that is started anew, and so long an interrupted run may take to end.
        keep_minutes: Minutes between two states of an island that are kept here, from which it
            is started anew if it is lost; every checkpoint is one, too.
        restarts: How often each island is started anew within a run after it had answered.
        start_timeout: Seconds within which an island must have been started; so long it is also
            tried again where it is lost before it answers.
        stretch_timeout: Seconds within which an island must have answered a call.
    """

    islands: int | Literal["auto"] = field(default="auto", validator=_islands)
    inside: str = "sequential"
    inside_cfg: Mapping[str, Any] = field(factory=dict)
    stretch: int | None = field(default=None, validator=at_least(1))
    ahead: int = field(default=60, validator=at_least(2))
    keep_minutes: float = field(default=1.0, validator=more_than(0))
    restarts: int = field(default=3, validator=at_least(0))
    start_timeout: float = field(default=180.0, validator=more_than(0))
    stretch_timeout: float = field(default=900.0, validator=more_than(0))
