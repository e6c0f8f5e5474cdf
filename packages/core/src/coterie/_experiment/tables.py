"""What an experiment file may hold beyond the experiment itself: members given as a group."""

from __future__ import annotations

from attrs import field, frozen

from .._config.validators import at_least
from .spec import (
    ControllerSpec,
    EnvironmentSpec,
    Experiment,
    LoggerSpec,
    MemberSpec,
    TrainerSpec,
    some_members,
)


@frozen(kw_only=True)
class MemberTable(MemberSpec):
    """A table ``[[members]]`` of a file: one member, or one per seed.

    Attributes:
        seeds: Seeds of members that are equal otherwise, named ``NAME-sSEED``. ``None``: the
            table is one member.
    """

    seeds: tuple[int, ...] | None = field(default=None, validator=at_least(0))

    def __attrs_post_init__(self) -> None:
        if self.seeds is not None and self.seed is not None:
            raise ValueError("give either seed or seeds, not both")
        if self.seeds == ():
            raise ValueError("seeds must hold at least one seed")

    def members(self) -> tuple[MemberSpec, ...]:
        """Write the table out, member by member."""
        if self.seeds is None:
            return (self._member(self.name, self.seed),)
        stem = self.name or self.agent
        return tuple(self._member(f"{stem}-s{seed}", seed) for seed in self.seeds)

    def _member(self, name: str | None, seed: int | None) -> MemberSpec:
        return MemberSpec(
            agent=self.agent,
            name=name,
            seed=seed,
            scope=self.scope,
            device=self.device,
            settings=self.settings,
        )


@frozen(kw_only=True)
class ExperimentTable:
    """An experiment as a file gives it.

    Attributes:
        environment: The environment.
        members: Tables of members, in order of scopes.
        trainer: The trainer.
        loggers: More places for metrics.
        controllers: What acts on the population between two timesteps.
    """

    environment: EnvironmentSpec
    members: tuple[MemberTable, ...] = field(validator=some_members)
    trainer: TrainerSpec = field(factory=TrainerSpec)
    loggers: tuple[LoggerSpec, ...] = ()
    controllers: tuple[ControllerSpec, ...] = ()

    def experiment(self) -> Experiment:
        """Write the members out."""
        return Experiment(
            environment=self.environment,
            members=tuple(member for table in self.members for member in table.members()),
            trainer=self.trainer,
            loggers=self.loggers,
            controllers=self.controllers,
        )
