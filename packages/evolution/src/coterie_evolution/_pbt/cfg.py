"""Settings of population based training. Free of torch."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from coterie.config import ControllerCfg, at_least, between

from .._ranges.cfg import Range
from .._search.cfg import StudyCfg


@frozen(kw_only=True)
class Group:
    """A sub-population: its members copy each other only.

    Attributes:
        members: Their names.
        interval: Timesteps between two selections; ``None``: that of the whole.
    """

    members: tuple[str, ...]
    interval: int | None = field(default=None, validator=at_least(1))

    def __attrs_post_init__(self) -> None:
        if len(set(self.members)) < max(1, len(self.members)):
            raise ValueError("members must be names, at least one, each once")


@frozen(kw_only=True)
class PBTCfg(ControllerCfg):
    """Settings of population based training (Jaderberg et al. 2017, arXiv:1711.09846).

    Attributes:
        ranges: The settings that evolve, by name: those that the agents can change while they
            live.
        interval: Timesteps between two selections.
        warmup: Timesteps before the first.
        selection: ``"truncation"``: the worst copy the best; ``"tournament"``: each meets
            another, and copies it if that one is better.
        fraction: Of a truncation: part of the members that are replaced, and that are copied.
        fitness: ``"mean_return"``: mean return of the last 100 episodes since the member was
            changed last; or the name of a metric, or ``"module:function"``, which is given a
            :class:`~coterie.MemberProgress`.
        maximise: Whether more of it is better.
        episodes: Episodes since its last change before a member is compared with others.
        resample_probability: How often a setting of a copy is drawn anew instead of disturbed.
        initial: ``"drawn"``: members begin with settings from the ranges; ``"given"``: with
            their own.
        groups: Sub-populations; empty: all members are one. With several, a long interval keeps
            settings alive that pay off late (greedy selection at one short interval does not).
        migration: Timesteps between two migrations: the worst of each group goes on with what
            the best of the others learned, if that is better, and keeps its settings; ``None``:
            there are none.
        study: Draw settings from an Optuna study instead of evenly; ``None``: evenly.
        seed: Seed of all that is drawn; ``None``: derived from the members' seeds.
    """

    ranges: dict[str, Range]
    interval: int = field(validator=at_least(1))
    warmup: int = field(default=0, validator=at_least(0))
    selection: Literal["truncation", "tournament"] = "truncation"
    fraction: float = field(default=0.25, validator=between(0, 0.5))
    fitness: str = "mean_return"
    maximise: bool = True
    episodes: int = field(default=10, validator=at_least(0))
    resample_probability: float = field(default=0.25, validator=between(0, 1))
    initial: Literal["drawn", "given"] = "drawn"
    groups: tuple[Group, ...] = ()
    migration: int | None = field(default=None, validator=at_least(1))
    study: StudyCfg | None = None
    seed: int | None = field(default=None, validator=at_least(0))

    def __attrs_post_init__(self) -> None:
        if not self.ranges:
            raise ValueError("ranges must name at least one setting that evolves")
        names = [name for group in self.groups for name in group.members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"a member can be in one group only; more than one has {twice}")
        if self.migration is not None and len(self.groups) < 2:
            raise ValueError("migration is between groups: give at least two")
