"""Settings of searches. Free of torch and of Optuna."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from coterie.config import ControllerCfg, at_least

from .._ranges.cfg import Range


@frozen(kw_only=True)
class StudyCfg:
    """Settings of the Optuna study that settings are drawn from; it needs the extra ``optuna``.

    Attributes:
        sampler: ``"tpe"``: tree-structured Parzen estimator, several trials at a time;
            ``"random"``: evenly.
        startup: Trials that are drawn evenly before ``"tpe"`` looks at the results.
    """

    sampler: Literal["tpe", "random"] = "tpe"
    startup: int = field(default=10, validator=at_least(1))


@frozen(kw_only=True)
class SearchCfg(ControllerCfg):
    """Settings of a search: members train from scratch with one setting after the other.

    Attributes:
        ranges: The settings that are searched, by name: those that the agents can change while
            they live.
        trial: Timesteps that each setting is trained for.
        fitness: ``"mean_return"``: mean return of the last 100 episodes of the trial; or the
            name of a metric, or ``"module:function"``, which is given a
            :class:`~coterie.MemberProgress`.
        maximise: Whether more of it is better.
        episodes: Episodes that a trial must have ended to count.
        study: What settings are drawn from.
        seed: Seed of all that is drawn; ``None``: derived from the members' seeds.
    """

    ranges: dict[str, Range]
    trial: int = field(validator=at_least(1))
    fitness: str = "mean_return"
    maximise: bool = True
    episodes: int = field(default=1, validator=at_least(0))
    study: StudyCfg = field(factory=StudyCfg)
    seed: int | None = field(default=None, validator=at_least(0))

    def __attrs_post_init__(self) -> None:
        if not self.ranges:
            raise ValueError("ranges must name at least one setting that is searched")
