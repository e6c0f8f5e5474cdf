"""Episodes of an evaluation: a number that was fixed before, from each instance."""

from __future__ import annotations

from .episodes import EpisodeStatistics
from .results import EpisodeResults, episode_results, shares


class CountedEpisodes(EpisodeStatistics):
    """Counts the first episodes of each instance of one member, and leaves out all others.

    Args:
        episodes: How many to count, shared out to the instances.
        scope: The member's instances.
    """

    def __init__(self, episodes: int, scope: slice) -> None:
        super().__init__()
        self._first = scope.start
        self._asked = episodes
        self._shares = shares(episodes, scope.stop - scope.start)
        self._found: list[list[tuple[float, int]]] = [[] for _ in self._shares]

    @property
    def complete(self) -> bool:
        """Whether every instance has played its share."""
        return self.count == self._asked

    @property
    def mean_return(self) -> float | None:
        """Mean return of all that are counted; ``None`` before the first."""
        return self.results.mean

    @property
    def mean_length(self) -> float | None:
        """Mean length of all that are counted; ``None`` before the first."""
        return self.results.mean_length

    @property
    def results(self) -> EpisodeResults:
        """All that are counted, and what they come to."""
        found = [(index, *one) for index, own in enumerate(self._found) for one in own]
        return episode_results(
            self._asked,
            [gained for _, gained, _ in found],
            [length for _, _, length in found],
            [index for index, _, _ in found],
        )

    def add(self, episode_return: float, length: int, instance: int = 0) -> None:
        """Count an episode that ended, if it is one of its instance's share.

        Args:
            episode_return: Its return.
            length: Its length.
            instance: Row of the instance in the environment.
        """
        index = instance - self._first
        if not self.closed and len(self._found[index]) < self._shares[index]:
            self._found[index].append((episode_return, length))
            super().add(episode_return, length)
