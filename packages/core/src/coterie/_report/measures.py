"""Results of groups, and pairs of groups compared, in one environment and across several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

from attrs import evolve

from .records import Band, Group, Improvement
from .statistics import improvement, interquartile_mean

_FEWEST_COMPARED = 2


def result_band(*strata: Sequence[float], resamples: int, seed: int) -> Band:
    """Compute the interquartile mean of results, with its interval."""
    mean, low, high = interquartile_mean(*strata, resamples=resamples, seed=seed)
    return Band(mean=float(mean), low=float(low), high=float(high))


def result_bands(groups: Sequence[Group], resamples: int, seed: int) -> dict[str, Band]:
    """Compute the interquartile mean of each group that has a result, by marks."""
    return {
        group.mark: result_band(group.results, resamples=resamples, seed=seed)
        for group in groups
        if group.results
    }


def compare(
    environments: Sequence[Sequence[Group]], resamples: int, seed: int
) -> list[Improvement]:
    """Compare every two groups that have at least two results in each environment.

    Args:
        environments: The groups of each environment; those of one mark belong together.
        resamples: Number of draws of the bootstrap.
        seed: Seed of the draws.

    Returns:
        Both directions of each pair, in the order of the groups.
    """
    tables = [
        {group.mark: group for group in groups if len(group.results) >= _FEWEST_COMPARED}
        for groups in environments
    ]
    marks = [mark for mark in tables[0] if all(mark in table for table in tables)]
    found: dict[tuple[str, str], Improvement] = {}
    for first, second in permutations(marks, 2):
        if (second, first) in found:
            found[first, second] = _turned(found[second, first])
            continue
        pairs = [(table[first].results, table[second].results) for table in tables]
        found[first, second] = Improvement(
            first=tables[0][first],
            second=tables[0][second],
            probability=improvement(pairs, resamples=resamples, seed=seed),
        )
    return list(found.values())


def _turned(pair: Improvement) -> Improvement:
    band = pair.probability
    turned = Band(mean=1.0 - band.mean, low=1.0 - band.high, high=1.0 - band.low)
    return Improvement(first=pair.second, second=pair.first, probability=turned)


def everywhere(environments: Mapping[str, Sequence[Group]]) -> list[list[Group]]:
    """List, for each environment, the groups that have results in every one.

    Returns:
        Groups of the same marks in each, none where there is one environment only.
    """
    tables = [{g.mark: g for g in groups if g.results} for groups in environments.values()]
    if len(tables) < 2:
        return []
    marks = [mark for mark in tables[0] if all(mark in table for table in tables)]
    return [[table[mark] for mark in marks] for table in tables] if marks else []


def scaled(environments: Sequence[Sequence[Group]]) -> list[dict[str, list[float]]]:
    """Bring results of each environment to 0 for its lowest and 1 for its highest.

    Args:
        environments: Groups of the same marks in each.

    Returns:
        For each environment, the scaled results by marks; 0.5 where all results are equal.
    """
    tables = []
    for groups in environments:
        every = [result for group in groups for result in group.results]
        low, span = min(every), max(every) - min(every)
        tables.append(
            {
                group.mark: [(r - low) / span if span > 0 else 0.5 for r in group.results]
                for group in groups
            }
        )
    return tables


def joint(groups: Sequence[Group]) -> Group:
    """Put groups of one mark in several environments together."""
    return evolve(
        groups[0],
        environment="all environments",
        members=tuple(member for group in groups for member in group.members),
    )
