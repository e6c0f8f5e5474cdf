"""Curves of members on one grid, and of groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .._runs.curves import mean_of_last
from .records import Group, GroupCurve, ReportedMember
from .statistics import interquartile_mean

Axis = Literal["steps", "time"]
AXES: tuple[Axis, ...] = ("steps", "time")
Floats = NDArray[np.float64]
_WINDOW = 20


def group_curves(
    groups: Sequence[Group], axis: Axis, metric: str, *, points: int, resamples: int, seed: int
) -> list[GroupCurve]:
    """Compute the curves of groups in one environment, on a grid up to the longest member.

    Args:
        groups: The groups.
        axis: ``"steps"``: environment steps of each member; ``"time"``: seconds of its run.
        metric: Name of the scalar.
        points: Number of points of the grid.
        resamples: Number of draws of the bootstrap.
        seed: Seed of the draws.

    Returns:
        A curve per group that has a value anywhere.
    """
    members = [member for group in groups for member in group.members]
    end = max((_end(member, axis) for member in members), default=0.0)
    edges = np.linspace(0.0, end, points + 1)
    window = _WINDOW if metric.startswith("episode/") else 1
    curves = []
    for group in groups:
        rows = [member_curve(member, axis, edges, window) for member in group.members]
        values = np.array(rows).reshape(len(rows), points)
        if np.isfinite(values).any():
            curves.append(_group_curve(group, edges[1:], values, resamples, seed))
    return curves


def _end(member: ReportedMember, axis: Axis) -> float:
    return member.steps if axis == "steps" else member.wall_time


def member_curve(member: ReportedMember, axis: Axis, edges: Floats, window: int) -> Floats:
    """Bring the values of a member to a grid.

    Args:
        member: The member.
        axis: What the grid counts.
        edges: Where the intervals of the grid start and end, float64 ``[points + 1]``, rising.
        window: Number of episodes to average over; 1: those of each interval alone.

    Returns:
        For each interval the mean of the values in it, or of the last intervals that hold
        ``window`` episodes together, float64 ``[points]``. Where there is no value, the one
        before stands, up to the member's end; NaN before its first and after its end.
    """
    points = len(edges) - 1
    steps, wall_times, values, weights = member.series.arrays()
    curve = np.full(points, np.nan)
    end = _end(member, axis)
    if not len(values) or end <= 0:
        return curve
    at = steps if axis == "steps" else wall_times
    place = np.clip(np.searchsorted(edges, at, side="left") - 1, 0, points - 1)
    total = np.bincount(place, values * weights, points)
    weight = np.bincount(place, weights, points)
    filled = np.flatnonzero(weight)
    means = total[filled] / weight[filled]
    counts = np.maximum(1, np.rint(weight[filled])).astype(int)
    curve[filled] = mean_of_last(means.tolist(), counts.tolist(), window)
    newest = np.maximum.accumulate(np.where(weight > 0, np.arange(points), -1))
    there = (newest >= 0) & ((edges[:-1] < end) | (weight > 0))
    return np.where(there, curve[newest], np.nan)


def _group_curve(group: Group, x: Floats, values: Floats, resamples: int, seed: int) -> GroupCurve:
    """Sum the members up; points at which the same members have values are done together."""
    there = np.isfinite(values)
    mean, low, high = (np.full(len(x), np.nan) for _ in range(3))
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for index, pattern in enumerate(patterns.T):
        if pattern.any():
            at = np.flatnonzero(which.reshape(-1) == index)
            own = values[np.ix_(pattern, at)]
            mean[at], low[at], high[at] = interquartile_mean(own, resamples=resamples, seed=seed)
    return GroupCurve(
        group=group, x=x, members=values, mean=mean, low=low, high=high, seeds=there.sum(0)
    )
