"""A search: each member trains one setting after the other, each from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from coterie import Controller, Member, Population, State, derive_seed

from .._checks import check_ranges, evolving, refuse
from .._fitness import Fitness, FitnessFunction, since_from
from .cfg import SearchCfg
from .study import Study, require_optuna


class Search(Controller):
    """Asks an Optuna study for settings, trains each for a while from scratch, and tells it.

    Every member begins each trial with the weights that it began the run with; a run of ``T``
    timesteps and ``P`` members makes ``P * T / trial`` trials. The best is noted at the end of
    each round.

    Args:
        cfg: An instance of :class:`SearchCfg`, or a mapping of its fields.
        fitness: A function in place of the setting ``fitness``.

    Raises:
        ConfigError: The settings are wrong; all problems at once.
    """

    kind: ClassVar[str] = "search"
    config_class: ClassVar[type[Any]] = SearchCfg
    cfg: SearchCfg

    def __init__(self, cfg: Any = None, *, fitness: FitnessFunction | None = None) -> None:
        super().__init__(cfg)
        own = self.cfg
        self.fitness = Fitness(
            own.fitness, maximise=own.maximise, episodes=own.episodes, function=fitness
        )
        self._seed = own.seed or 0
        self._study: Study | None = None
        self._scratch: dict[str, State] = {}
        self._trials: dict[str, int] = {}

    def check(self, members: Sequence[Member]) -> None:
        """Check that members take the settings.

        Raises:
            ConfigError: They don't; all problems at once.
        """
        self.fitness.check()
        refuse(check_ranges(members, self.cfg.ranges), "search")
        require_optuna()
        self._seed = self.derive(members) if self.cfg.seed is None else self.cfg.seed

    def begin(self, population: Population) -> None:
        """Remember what members begin with, and give them their first settings."""
        self._study = self._new_study()
        self.fitness.since.clear()
        states = population.snapshot(population.active, learned=True)
        self._scratch = {population.members[i].name: state for i, state in states.items()}
        self._trials = {}
        for member in population.active:
            self._ask(population, member, restart=False)

    def due(self, timestep: int) -> bool:
        """Whether trials end."""
        return timestep > 0 and timestep % self.cfg.trial == 0

    def act(self, population: Population) -> None:
        """Tell the study how the trials did, and begin new ones."""
        self._tell(population)
        for member in population.active:
            self._ask(population, member, restart=True)

    def end(self, population: Population) -> None:
        """Tell the study how the last trials did, if they were whole."""
        if self.due(population.timestep):
            self._tell(population)

    def state_dict(self) -> State:
        """Return what was asked and told, and what members began with."""
        assert self._study is not None
        return {
            "seed": self._seed,
            "study": self._study.state_dict(),
            "scratch": dict(self._scratch),
            "trials": dict(self._trials),
            "since": dict(self.fitness.since),
        }

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self._seed = int(state["seed"])
        self._study = self._new_study()
        self._study.load_state_dict(state["study"])
        self._scratch = {str(name): own for name, own in state["scratch"].items()}
        self._trials = {str(name): int(number) for name, number in state["trials"].items()}
        self.fitness.since = since_from(state["since"])

    def _new_study(self) -> Study:
        return Study(self.cfg.ranges, self.cfg.study, derive_seed(self._seed, "study"))

    def _tell(self, population: Population) -> None:
        assert self._study is not None
        found = self.fitness.measure(population, population.active)
        for member in population.active:
            if member.name not in self._trials:  # it ended with an earlier run
                continue
            value = found.get(member.index)
            self._study.tell(self._trials.pop(member.name), value)
            own, told = evolving(population, member, self.cfg.ranges), self.fitness.told(value)
            population.note("fitness", member.name, fitness=told, after=own)
        best = self._study.best()
        if best is not None:
            number, settings, highest = best
            told = self.fitness.told(highest)
            population.note("best", after=settings, fitness=told, note=f"trial {number}")

    def _ask(self, population: Population, member: Member, *, restart: bool) -> None:
        assert self._study is not None
        before = evolving(population, member, self.cfg.ranges)
        number, after = self._study.ask()
        self._trials[member.name] = number
        if restart:
            done = population.restore(member, self._scratch[member.name], after)
            self.fitness.changed(population, member)
        else:
            done = population.reconfigure(member, after)
        if done:
            note = f"trial {number}"
            population.note("settings", member.name, before=before, after=after, note=note)
