"""Interquartile means and probabilities of improvement, with stratified bootstrap intervals.

The measures are those of Agarwal et al., "Deep reinforcement learning at the edge of the
statistical precipice" (2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import ConfigError
from .records import FEWEST_SEEDS, Band

Floats = NDArray[np.float64]
_CUT = 0.25
_LARGEST = 4_000_000


def scipy_stats() -> Any:
    """Import ``scipy.stats``.

    Raises:
        ConfigError: scipy is not installed.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise ConfigError('statistics need scipy: pip install "coterie-core[report]"') from error
    return stats


def interquartile_mean(
    *strata: ArrayLike, resamples: int = 2000, seed: int = 0
) -> tuple[Floats, Floats, Floats]:
    """Compute the interquartile mean of some runs, with its 95 % bootstrap interval.

    The mean of what is left when the lowest and the highest quarter of the values are cut off
    (rounded down: of five values one each), over all strata together (Agarwal et al. 2021,
    section 4.3). The interval is a percentile bootstrap that draws from each stratum as many
    values as it has.

    Args:
        strata: Values of the runs, one array ``[runs, ...]`` per task. Where there are several,
            their values must be on one scale. What follows the first dimension is computed
            together, from the same draws: points of a curve.
        resamples: Number of draws.
        seed: Seed of the draws.

    Returns:
        The mean and both ends of the interval, float64 ``[...]`` each; the ends are NaN where
        a stratum has less than 3 values.

    Raises:
        ValueError: There are no values.
        ConfigError: scipy is not installed.
    """
    stats = scipy_stats()
    values = [np.asarray(stratum, dtype=np.float64) for stratum in strata]
    if not values or any(not len(stratum) for stratum in values):
        raise ValueError("an interquartile mean needs at least one value in each stratum")

    def middle(*parts: Floats, axis: int) -> Floats:
        joint = np.concatenate(parts, axis) if len(parts) > 1 else parts[0]
        return np.asarray(stats.trim_mean(joint, _CUT, axis=axis))

    mean = middle(*values, axis=0)
    low, high = _interval(values, middle, mean, resamples, seed)
    return mean, low, high


def improvement(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], resamples: int = 2000, seed: int = 0
) -> Band:
    """Compute how probable it is that a run of one kind ends above one of another kind.

    The share of all pairs of runs in which the first is greater, where equal ones count half,
    averaged over tasks (Agarwal et al. 2021, section 4.3; it is the statistic of Mann and
    Whitney), with its percentile bootstrap interval, which draws from the runs of each kind and
    task as many as there are.

    Args:
        pairs: For each task, the results of both kinds.
        resamples: Number of draws.
        seed: Seed of the draws.

    Returns:
        The probability, and the ends of its interval; NaN if a task has less than 3 runs of a
        kind.

    Raises:
        ValueError: A task has no run of a kind.
        ConfigError: scipy is not installed.
    """
    values = [np.asarray(part, dtype=np.float64) for pair in pairs for part in pair]
    if not values or any(not len(part) for part in values):
        raise ValueError("a probability of improvement needs runs of both kinds in each task")

    def probability(*parts: Floats, axis: int) -> Floats:
        moved = [np.moveaxis(part, axis, -1) for part in parts]
        tasks = zip(moved[::2], moved[1::2], strict=True)
        return np.asarray(np.mean([_share_above(x, y) for x, y in tasks], axis=0))

    mean = probability(*values, axis=0)
    low, high = _interval(values, probability, mean, resamples, seed)
    return Band(mean=float(mean), low=float(low), high=float(high))


def _share_above(x: Floats, y: Floats) -> Floats:
    """Compare each of ``x`` with each of ``y``, ``[..., n]`` and ``[..., m]``: the share above."""
    left, right = x[..., :, None], y[..., None, :]
    return np.asarray(((left > right) + 0.5 * (left == right)).mean((-2, -1)))


def _interval(
    values: Sequence[Floats],
    statistic: Callable[..., Floats],
    like: Floats,
    resamples: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Draw from each array by itself; return the ends of the 95 % percentile interval."""
    if min(map(len, values)) < FEWEST_SEEDS:
        return np.full_like(like, np.nan), np.full_like(like, np.nan)
    at_once = max(1, _LARGEST // sum(part.size for part in values))
    interval = (
        scipy_stats()
        .bootstrap(
            tuple(values),
            statistic,
            n_resamples=resamples,
            batch=min(at_once, resamples),
            vectorized=True,
            axis=0,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        .confidence_interval
    )
    return np.asarray(interval.low), np.asarray(interval.high)
