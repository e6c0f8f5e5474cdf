"""What an evaluation over a number of episodes came to. Free of torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen


@frozen(kw_only=True)
class EpisodeResults:
    """The episodes of one member that an evaluation counts, instance after instance.

    Which they are was fixed before the first step: the first ones of each instance, as many as
    its share is. Counting whatever ends first would prefer short episodes.

    Attributes:
        asked: How many were asked for; fewer are there if the time was over before.
        returns: Return of each.
        lengths: Length of each, in steps.
        instances: Instance of each, counted from 0 in the member's scope.
        mean: Mean return; ``None``, as all that follows, where there are no episodes.
        std: Standard deviation of the returns over a sample (n - 1); ``None`` for fewer than two.
        median: Median of the returns.
        iqm: Interquartile mean of the returns: their mean without the lowest and the highest
            quarter, each rounded down (Agarwal et al. 2021, arXiv:2108.13264).
        minimum: Lowest return.
        maximum: Highest return.
        mean_length: Mean length.
    """

    asked: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    instances: tuple[int, ...]
    mean: float | None
    std: float | None
    median: float | None
    iqm: float | None
    minimum: float | None
    maximum: float | None
    mean_length: float | None

    @property
    def complete(self) -> bool:
        """Whether as many episodes are there as were asked for."""
        return len(self.returns) == self.asked


def episode_results(
    asked: int, returns: Sequence[float], lengths: Sequence[int], instances: Sequence[int]
) -> EpisodeResults:
    """Sum episodes up.

    Args:
        asked: How many were asked for.
        returns: Return of each.
        lengths: Length of each.
        instances: Instance of each.
    """
    ordered, number = sorted(returns), len(returns)
    cut = number // 4
    mean = _mean(returns)
    half = number // 2
    return EpisodeResults(
        asked=asked,
        returns=tuple(returns),
        lengths=tuple(lengths),
        instances=tuple(instances),
        mean=mean,
        std=_deviation(returns, mean),
        median=_mean(ordered[half - 1 + number % 2 : half + 1]),
        iqm=_mean(ordered[cut : number - cut]),
        minimum=ordered[0] if ordered else None,
        maximum=ordered[-1] if ordered else None,
        mean_length=_mean(lengths),
    )


def shares(episodes: int, instances: int) -> list[int]:
    """Share a number of episodes out to instances, evenly; the first ones get one more.

    Returns:
        The share of each instance; their sum is ``episodes``.
    """
    each, more = divmod(episodes, instances)
    return [each + (index < more) for index in range(instances)]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _deviation(values: Sequence[float], mean: float | None) -> float | None:
    if mean is None or len(values) < 2:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
