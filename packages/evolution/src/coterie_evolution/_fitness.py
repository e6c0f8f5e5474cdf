"""How well a member does: its mean return, a metric, or what a function says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

from coterie import ConfigError, Member, MemberProgress, Population

FitnessFunction: TypeAlias = Callable[[MemberProgress], float | None]
"""From how far a member is, and its newest metrics, to a number; ``None``: not known yet."""

MEAN_RETURN = "mean_return"


class Fitness:
    """Measures members.

    Args:
        choice: ``"mean_return"``; the name of a metric; or ``"module:function"``.
        maximise: Whether more is better.
        episodes: Episodes that a member must have ended since it was changed last; fewer, and
            nothing is said of it.
        function: A function in place of ``choice``.
    """

    def __init__(
        self,
        choice: str,
        *,
        maximise: bool,
        episodes: int,
        function: FitnessFunction | None = None,
    ) -> None:
        self._choice, self._sign, self._episodes = choice, 1.0 if maximise else -1.0, episodes
        self._function = function
        self.since: dict[str, int] = {}

    def check(self) -> None:
        """Import the function, if one is named.

        Raises:
            ConfigError: There is none.
        """
        if self._function is not None or ":" not in self._choice:
            return
        module, _, name = self._choice.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"fitness = {self._choice!r} can't be imported: {error}") from error
        if not callable(found):
            raise ConfigError(f"fitness = {self._choice!r} is no function but {found!r}")
        self._function = found

    def changed(self, population: Population, member: Member) -> None:
        """Count only episodes of a member that end from now on."""
        self.since[member.name] = population.episodes(member)

    def measure(self, population: Population, members: Sequence[Member]) -> dict[int, float]:
        """Measure members; those of whom nothing can be said are left out.

        Args:
            population: The population.
            members: Whom to measure, all of them active.

        Returns:
            By index of the member; more is better, whatever the setting says.
        """
        found = {}
        for member in members:
            value = self._of(population, member)
            if value is not None and math.isfinite(value):
                found[member.index] = self._sign * value
        return found

    def told(self, value: float | None) -> float | None:
        """Turn a measure into the number that people know."""
        return None if value is None else self._sign * value

    def _of(self, population: Population, member: Member) -> float | None:
        since = self.since.get(member.name, 0)
        if population.episodes(member) - since < self._episodes:
            return None
        if self._function is None and self._choice == MEAN_RETURN:
            return population.mean_return(member, since)
        progress = population.progress(member)
        if self._function is not None:
            value = self._function(progress)
            return None if value is None else float(value)
        return progress.scalars.get(self._choice)


def since_from(state: Mapping[str, Any]) -> dict[str, int]:
    """Read what a checkpoint tells of the last changes of members."""
    return {str(name): int(count) for name, count in state.items()}
