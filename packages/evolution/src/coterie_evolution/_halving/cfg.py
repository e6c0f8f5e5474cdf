"""Settings of successive halving. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from coterie.config import ControllerCfg, at_least

from .._ranges.cfg import Range
from .._search.cfg import StudyCfg


@frozen(kw_only=True)
class HalvingCfg(ControllerCfg):
    """Settings of successive halving (arXiv:1502.07943, and asynchronous: arXiv:1810.05934).

    Attributes:
        first: Timesteps of the first rung, where members are compared for the first time.
        reduction: One of so many goes on from each rung, and the next rung is so many times
            as far.
        fitness: ``"mean_return"``: mean return of the last 100 episodes; or the name of a
            metric, or ``"module:function"``, which is given a :class:`~coterie.MemberProgress`.
        maximise: Whether more of it is better.
        keep: Members that are never stopped, at least.
        freed: What becomes of the instances of a member that was stopped: ``"idle"``, they act
            at random. Handing them to the survivors is refused: agents, their memories and the
            streams of the instances are made for scopes of one size.
        ranges: Settings that members begin with, drawn from these; empty: with their own.
        study: Draw them from an Optuna study instead of evenly; ``None``: evenly.
        seed: Seed of all that is drawn; ``None``: derived from the members' seeds.
    """

    first: int = field(validator=at_least(1))
    reduction: int = field(default=2, validator=at_least(2))
    fitness: str = "mean_return"
    maximise: bool = True
    keep: int = field(default=1, validator=at_least(1))
    freed: Literal["idle", "survivors"] = "idle"
    ranges: dict[str, Range] = field(factory=dict)
    study: StudyCfg | None = None
    seed: int | None = field(default=None, validator=at_least(0))

    def __attrs_post_init__(self) -> None:
        if self.freed == "survivors":
            raise ValueError(
                "freed = 'survivors' can't be done: agents, their memories and the streams of the "
                "instances are made for scopes of one size; take 'idle', or pbt, where scopes of "
                "members that do badly go on with what better ones learned"
            )
        if self.study is not None and not self.ranges:
            raise ValueError("study draws settings from ranges: give ranges, too")
