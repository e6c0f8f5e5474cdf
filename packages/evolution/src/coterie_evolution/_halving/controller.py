"""Successive halving, between two timesteps."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from coterie import Controller, Member, Population, State, derive_seed

from .._checks import check_ranges, refuse
from .._fitness import Fitness, FitnessFunction
from .._ranges.draws import draw_all
from .._search.study import Study, require_optuna
from .cfg import HalvingCfg
from .rungs import rung_at, stopped_at


class Halving(Controller):
    """Stops the members that do worst at rungs ever further apart.

    All members of one environment reach a rung at the same timestep; then this is successive
    halving. A member that reaches one later is compared with all that were there, as in ASHA.

    Args:
        cfg: An instance of :class:`HalvingCfg`, or a mapping of its fields.
        fitness: A function in place of the setting ``fitness``.

    Raises:
        ConfigError: The settings are wrong; all problems at once.
    """

    kind: ClassVar[str] = "halving"
    config_class: ClassVar[type[Any]] = HalvingCfg
    cfg: HalvingCfg

    def __init__(self, cfg: Any = None, *, fitness: FitnessFunction | None = None) -> None:
        super().__init__(cfg)
        own = self.cfg
        self.fitness = Fitness(own.fitness, maximise=own.maximise, episodes=0, function=fitness)
        self._results: dict[int, dict[str, float]] = {}
        self._seed = own.seed or 0

    def check(self, members: Sequence[Member]) -> None:
        """Check that members take the settings, and that there is somebody to compare.

        Raises:
            ConfigError: They don't; all problems at once.
            PluginError: A study is wanted, and Optuna is not installed.
        """
        self.fitness.check()
        problems = check_ranges(members, self.cfg.ranges)
        if len(members) <= self.cfg.keep:
            problems.append(f"{len(members)} members, of which keep = {self.cfg.keep} go on")
        refuse(problems, "halving")
        if self.cfg.study is not None:
            require_optuna()
        self._seed = self.derive(members) if self.cfg.seed is None else self.cfg.seed

    def begin(self, population: Population) -> None:
        """Forget earlier rungs; give members the settings that they begin with."""
        cfg, seed = self.cfg, self._seed
        self._results = {}
        study = None if cfg.study is None else Study(cfg.ranges, cfg.study, seed)
        for member in population.active if cfg.ranges else ():
            if study is None:
                generator = random.Random(derive_seed(seed, "first", member.index))
                after = draw_all(cfg.ranges, generator)
            else:
                after = study.ask()[1]
            settings = population.settings(member)
            if population.reconfigure(member, after):
                before = {name: settings[name] for name in after}
                population.note("settings", member.name, before=before, after=after)

    def due(self, timestep: int) -> bool:
        """Whether a rung is reached."""
        return rung_at(timestep, self.cfg.first, self.cfg.reduction) is not None

    def act(self, population: Population) -> None:
        """Compare the members, and stop those that do not go on."""
        rung = rung_at(population.timestep, self.cfg.first, self.cfg.reduction)
        assert rung is not None
        found = self.fitness.measure(population, population.active)
        # Nothing to show at a rung is the worst result there is.
        arrived = {m.name: found.get(m.index, -1e308) for m in population.active}
        results = self._results.setdefault(rung, {})
        results |= arrived
        for member in population.active:
            told = self.fitness.told(found.get(member.index))
            population.note("fitness", member.name, fitness=told, note=f"rung {rung}")
        over = stopped_at(results, arrived, self.cfg.reduction, self.cfg.keep)
        self._stop(population, rung, over, found)

    def end(self, population: Population) -> None:
        """Note what those that went on came to."""
        found = self.fitness.measure(population, population.active)
        for member in population.active:
            told = self.fitness.told(found.get(member.index))
            population.note("fitness", member.name, fitness=told)

    def state_dict(self) -> State:
        """Return what members came to at each rung."""
        return {"seed": self._seed, "results": {str(r): own for r, own in self._results.items()}}

    def load_state_dict(self, state: State) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self._seed = int(state["seed"])
        self._results = {
            int(rung): {str(name): float(value) for name, value in own.items()}
            for rung, own in state["results"].items()
        }

    def _stop(
        self, population: Population, rung: int, names: Sequence[str], found: Mapping[int, float]
    ) -> None:
        if not names:
            return
        reason = f"it does not go on from rung {rung}"
        reasons = {population.member(name).index: reason for name in names}
        population.stop(reasons)
        for index in sorted(reasons):
            member = population.members[index]
            told = self.fitness.told(found.get(index))
            population.note("stop", member.name, fitness=told, note=reason)
