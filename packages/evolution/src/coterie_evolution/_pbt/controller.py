"""Population based training, between two timesteps."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from coterie import Controller, Member, Population, State, derive_seed

from .._checks import check_alike, check_ranges, evolving, refuse
from .._fitness import Fitness, FitnessFunction, since_from
from .._groups import make_groups
from .cfg import PBTCfg
from .migration import migrants
from .selection import tournament, truncation
from .source import Source


class PBT(Controller):
    """Lets members that do badly go on with what better ones learned, and explore from there.

    At each interval the members of a group are compared. One that loses takes over what the
    winner learned, weights and optimiser and statistics, with the winner's settings disturbed or
    drawn anew; its name, its scope and its random numbers stay its own.

    Args:
        cfg: An instance of :class:`PBTCfg`, or a mapping of its fields.
        fitness: A function in place of the setting ``fitness``.

    Raises:
        ConfigError: The settings are wrong; all problems at once.
    """

    kind: ClassVar[str] = "pbt"
    config_class: ClassVar[type[Any]] = PBTCfg
    cfg: PBTCfg

    def __init__(self, cfg: Any = None, *, fitness: FitnessFunction | None = None) -> None:
        super().__init__(cfg)
        own = self.cfg
        self.fitness = Fitness(
            own.fitness, maximise=own.maximise, episodes=own.episodes, function=fitness
        )
        self._seed = own.seed or 0
        self._source: Source | None = None
        self._groups: list[tuple[int, list[int]]] = []

    def check(self, members: Sequence[Member]) -> None:
        """Check that the settings can evolve, and that members can learn from each other.

        Raises:
            ConfigError: They can't; all problems at once.
        """
        cfg = self.cfg
        self.fitness.check()
        self._groups, problems = make_groups(cfg.groups, cfg.interval, members)
        problems += check_ranges(members, cfg.ranges)
        wholes = [[i for _, group in self._groups for i in group]] if cfg.migration else []
        for indices in wholes or [group for _, group in self._groups]:
            problems += check_alike([members[index] for index in indices])
        if cfg.initial == "given":
            problems += _outside(members, cfg)
        refuse(problems, "pbt")
        self._seed = self.derive(members) if cfg.seed is None else cfg.seed
        self._source = Source(cfg, derive_seed(self._seed, "study"))

    def begin(self, population: Population) -> None:
        """Give every member its first settings."""
        self._source = source = Source(self.cfg, derive_seed(self._seed, "study"))
        self.fitness.since.clear()
        for member in population.active:
            before = self._settings(population, member)
            generator = self._generator("first", member.index)
            after = source.first(member.name, before, generator)
            if after == before or population.reconfigure(member, after):
                population.note("settings", member.name, before=before, after=after)

    def due(self, timestep: int) -> bool:
        """Whether a group selects, or members migrate."""
        if timestep <= self.cfg.warmup:
            return False
        migration = self.cfg.migration
        return any(timestep % interval == 0 for interval, _ in self._groups) or (
            migration is not None and timestep % migration == 0
        )

    def act(self, population: Population) -> None:
        """Select in each group whose time it is; then let members migrate."""
        timestep, migration = population.timestep, self.cfg.migration
        moving = migration is not None and timestep % migration == 0
        for place, (interval, indices) in enumerate(self._groups):
            if timestep % interval == 0:
                self._select(population, place, self._measure(population, indices))
        if moving:
            self._migrate(population)

    def end(self, population: Population) -> None:
        """Note what members came to."""
        for _, indices in self._groups:
            self._measure(population, indices)

    def state_dict(self) -> State:
        """Return the random seed, since when episodes count, and what the study knows."""
        assert self._source is not None
        return {
            "seed": self._seed,
            "since": dict(self.fitness.since),
            "source": self._source.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self._seed = int(state["seed"])
        self._source = Source(self.cfg, derive_seed(self._seed, "study"))
        self._source.load_state_dict(state["source"])
        self.fitness.since = since_from(state["since"])

    def _generator(self, *path: int | str) -> random.Random:
        return random.Random(derive_seed(self._seed, *path))

    def _settings(self, population: Population, member: Member) -> dict[str, Any]:
        return evolving(population, member, self.cfg.ranges)

    def _measure(self, population: Population, indices: Sequence[int]) -> dict[int, float]:
        members = [population.members[i] for i in indices if population.members[i].active]
        found = self.fitness.measure(population, members)
        for index, value in found.items():
            member = population.members[index]
            population.note(
                "fitness",
                member.name,
                fitness=self.fitness.told(value),
                after=self._settings(population, member),
            )
        return found

    def _select(self, population: Population, group: int, fitness: Mapping[int, float]) -> None:
        generator = self._generator("select", group, population.timestep)
        if self.cfg.selection == "truncation":
            pairs = truncation(fitness, self.cfg.fraction, generator)
        else:
            pairs = tournament(fitness, generator)
        self._copy(population, pairs, fitness, generator)

    def _copy(
        self,
        population: Population,
        pairs: Mapping[int, int],
        fitness: Mapping[int, float],
        generator: random.Random,
    ) -> None:
        """Let heirs go on with what donors learned; every donor is as it was before this."""
        assert self._source is not None
        members = population.members
        donors = [members[index] for index in sorted(set(pairs.values()))]
        learned = population.snapshot(donors, learned=True)
        known = {donor.index: population.settings(donor) for donor in donors}
        for heir, donor in sorted(pairs.items()):
            before = self._settings(population, members[heir])
            after = self._source.next(members[heir].name, fitness[heir], known[donor], generator)
            if donor in learned and members[heir].active:
                settings = {**known[donor], **after}
                self._inherit(population, heir, donor, learned[donor], settings, before, fitness)

    def _inherit(
        self,
        population: Population,
        heir: int,
        donor: int,
        learned: State,
        settings: Mapping[str, Any],
        before: Mapping[str, Any],
        fitness: Mapping[int, float],
        event: str = "copy",
    ) -> None:
        member = population.members[heir]
        if not population.restore(member, learned, settings):
            return
        self.fitness.changed(population, member)
        population.note(
            event,
            member.name,
            donor=population.members[donor].name,
            before=dict(before),
            after={name: settings[name] for name in before},
            fitness=self.fitness.told(fitness[heir]),
        )

    def _migrate(self, population: Population) -> None:
        """Let the worst of each group learn from the best of the others, with its own settings."""
        active = [m for m in population.active if any(m.index in g for _, g in self._groups)]
        fitness = self.fitness.measure(population, active)
        pairs = migrants([group for _, group in self._groups], fitness)
        members = population.members
        donors = [members[index] for index in sorted(set(pairs.values()))]
        learned = population.snapshot(donors, learned=True)
        for heir, donor in sorted(pairs.items()):
            settings = population.settings(members[heir])
            before = self._settings(population, members[heir])
            if donor in learned:
                self._inherit(
                    population, heir, donor, learned[donor], settings, before, fitness, "migrate"
                )


def _outside(members: Sequence[Member], cfg: PBTCfg) -> list[str]:
    return [
        f"member {member.name!r} begins with {name} = {getattr(member.agent.cfg, name)!r}, which "
        "is not in its range: widen it, or let initial = 'drawn'"
        for member in members
        for name, own in cfg.ranges.items()
        if name in member.agent.changeable and not own.holds(getattr(member.agent.cfg, name))
    ]
