"""Values drawn from ranges, and values disturbed: the same for the same random numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from .cfg import Range


def pick(generator: random.Random, count: int) -> int:
    """Draw one of ``count`` positions, from one random number."""
    return min(count - 1, int(generator.random() * count))


def resample(own: Range, generator: random.Random) -> Any:
    """Draw a value from a range, from one random number.

    Args:
        own: The range.
        generator: Where it comes from.

    Returns:
        A float; of ``"int"`` an int; of a choice one of its values.
    """
    if own.type == "choice":
        return own.values[pick(generator, len(own.values))]
    low, high = own.bounds
    if own.type == "int":
        return int(low) + pick(generator, int(high) - int(low) + 1)
    share = generator.random()
    if own.type == "log":
        return _clip(math.exp(math.log(low) + share * (math.log(high) - math.log(low))), own)
    return _clip(low + share * (high - low), own)


def perturb(own: Range, value: Any, generator: random.Random) -> Any:
    """Move a value a little, from one random number, and bring it into its range.

    ``"log"`` multiplies by one of the factors (Jaderberg et al. 2017, arXiv:1711.09846,
    appendix A.1: by 1.2 or 0.8); ``"linear"`` and ``"int"`` add or subtract a part of the range.

    Args:
        own: The range.
        value: The value.
        generator: Where the random number comes from.
    """
    if own.type == "choice":
        return _another(own, value, generator)
    low, high = own.bounds
    if own.type == "log":
        return _clip(value * own.factors[pick(generator, len(own.factors))], own)
    sign = 1 if generator.random() >= 0.5 else -1
    if own.type == "int":
        return int(_clip(int(value) + sign * max(1, round(own.step * (high - low))), own))
    return _clip(value + sign * own.step * (high - low), own)


def _another(own: Range, value: Any, generator: random.Random) -> Any:
    if value not in own.values:
        return own.values[pick(generator, len(own.values))]
    place = own.values.index(value)
    if own.ordered:
        moved = place + (1 if generator.random() >= 0.5 else -1)
        return own.values[min(max(moved, 0), len(own.values) - 1)]
    others = [*own.values[:place], *own.values[place + 1 :]]
    return others[pick(generator, len(others))]


def _clip(value: float, own: Range) -> float:
    low, high = own.bounds
    return min(max(value, low), high)


def draw_all(ranges: Mapping[str, Range], generator: random.Random) -> dict[str, Any]:
    """Draw a value of every range, in order of their names."""
    return {name: resample(ranges[name], generator) for name in sorted(ranges)}


def explore(
    ranges: Mapping[str, Range],
    settings: Mapping[str, Any],
    generator: random.Random,
    resample_probability: float,
) -> dict[str, Any]:
    """Disturb each setting, or draw it anew, in order of their names.

    Args:
        ranges: The ranges.
        settings: The values that are disturbed.
        generator: Two random numbers are taken for each.
        resample_probability: How often one is drawn anew.
    """
    found = {}
    for name in sorted(ranges):
        if generator.random() < resample_probability:
            found[name] = resample(ranges[name], generator)
        else:
            found[name] = perturb(ranges[name], settings[name], generator)
    return found
