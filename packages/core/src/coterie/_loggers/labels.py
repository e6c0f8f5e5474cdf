"""How a run and its members are called, and what they were told, in other people's trackers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from .._runs.records import MemberInfo, MetricRow, RunInfo


def run_label(run: RunInfo) -> str:
    """Name a run: after its directory, or after environment and time where it has none."""
    if run.directory is not None:
        return run.directory.resolve().name
    environment = run.environment.rpartition(":")[2] or run.environment
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{environment}"


def run_facts(run: RunInfo) -> dict[str, Any]:
    """What is true of a run and of each of its members."""
    return {
        "trainer": run.trainer,
        "environment": run.environment,
        "num_envs": run.num_envs,
        "timesteps": run.timesteps,
        "members": len(run.members),
    }


def member_facts(run: RunInfo, member: MemberInfo) -> dict[str, Any]:
    """What a member is, with its settings under their own names."""
    return {
        **run_facts(run),
        "num_envs": member.num_envs,
        "member": member.name,
        "agent": member.kind,
        "seed": member.seed,
        "scope": list(member.scope),
        "device": member.device,
        "settings": member.settings,
    }


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Put dots between the names of nested mappings: ``{"a": {"b": 1}}`` is ``{"a.b": 1}``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def by_moment(rows: Sequence[MetricRow]) -> list[list[MetricRow]]:
    """Part rows into those of one member at one timestep, in their order."""
    return [list(own) for _, own in groupby(rows, lambda row: (row.member, row.timestep))]


def known_names(found: Any, run: RunInfo) -> dict[str, str]:
    """Read what a position says about each member: texts by name; anything else is dropped."""
    names = {"", *(member.name for member in run.members)}
    if not isinstance(found, Mapping):
        return {}
    return {
        name: value
        for name, value in found.items()
        if name in names and isinstance(value, str) and value
    }
