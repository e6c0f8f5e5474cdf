"""Settings of early stopping. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from .._config.validators import at_least, more_than


@frozen(kw_only=True)
class StopCfg:
    """When a member is stopped before the run ends; it is looked at with each metrics.

    A stopped member keeps what it has learned, its scope acts at random, and the others go on as
    if nothing were. When nobody is left, the run ends.

    Attributes:
        target_return: Mean return of the last 100 episodes at which a member is done.
        plateau: Timesteps without a higher mean return after which a member is stopped.
        episodes: Episodes of a member before these two are looked at.
        minutes: Minutes of the run after which all members are stopped.
    """

    target_return: float | None = None
    plateau: int | None = field(default=None, validator=at_least(1))
    episodes: int = field(default=100, validator=at_least(1))
    minutes: float | None = field(default=None, validator=more_than(0))

    @property
    def any(self) -> bool:
        """Whether there is any rule."""
        return not (self.target_return is None and self.plateau is None and self.minutes is None)
