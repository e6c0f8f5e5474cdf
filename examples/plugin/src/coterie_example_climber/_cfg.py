"""Settings. Records name these classes, so this module must stay free of torch."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import and_, ge, gt, le, optional

from coterie import AgentCfg, TrainerCfg


@frozen(kw_only=True)
class ClimberCfg(AgentCfg):
    """Settings of the agent ``climber``.

    Attributes:
        candidates: Number of policies that are tried before the search moves on; at least 2.
        elite_fraction: Fraction of them, the best ones, that the search moves to.
        initial_spread: Standard deviation of the first policies' weights.
        lowest_spread: Standard deviation below which the search never narrows.
    """

    candidates: int = field(default=32, validator=ge(2))
    elite_fraction: float = field(default=0.25, validator=and_(gt(0.0), le(1.0)))
    initial_spread: float = field(default=1.0, validator=gt(0.0))
    lowest_spread: float = field(default=0.05, validator=ge(0.0))


@frozen(kw_only=True)
class TimedTrainerCfg(TrainerCfg):
    """Settings of the trainer ``timed``.

    Attributes:
        slow_member_ms: Mean milliseconds per timestep above which a member is warned about;
            ``None``: never.
    """

    slow_member_ms: float | None = field(default=None, validator=optional(gt(0.0)))
