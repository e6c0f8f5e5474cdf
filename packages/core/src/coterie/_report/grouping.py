"""Groups of members that differ in their seeds alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._runs.settings import settings_text, split_settings
from .plain import clean
from .records import Group, ReportedMember, ReportedRun

_LONGEST = 90


def group_members(runs: Iterable[ReportedRun]) -> list[Group]:
    """Put members together, across runs, that differ in nothing but seed, name and place.

    The environment with its settings, the algorithm, all settings and the number of instances
    must be the same. Groups that differ in the environment alone have the same mark.

    Args:
        runs: The runs.

    Returns:
        The groups, by environment, in the order in which they first appear.
    """
    found: dict[str, dict[str, list[ReportedMember]]] = {}
    marks: dict[str, str] = {}
    for member in (member for run in runs for member in run.members):
        variant = _variant(member)
        marks.setdefault(variant, mark(len(marks)))
        found.setdefault(member.environment, {}).setdefault(variant, []).append(member)
    return [group for variants in found.values() for group in _groups(variants, marks)]


def _groups(
    variants: Mapping[str, Sequence[ReportedMember]], marks: Mapping[str, str]
) -> list[Group]:
    """Make the groups of one environment, in the order of their marks."""
    ordered = [variant for variant in marks if variant in variants]
    labels = label_variants([variants[variant][0] for variant in ordered])
    return [
        Group(
            mark=marks[variant],
            label=label,
            environment=variants[variant][0].environment,
            kind=variants[variant][0].kind,
            settings=variants[variant][0].settings,
            members=tuple(variants[variant]),
        )
        for variant, label in zip(ordered, labels, strict=True)
    ]


def by_environment(groups: Iterable[Group]) -> dict[str, list[Group]]:
    """List the groups of each environment."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.environment, []).append(group)
    return found


def _variant(member: ReportedMember) -> str:
    return json.dumps([member.kind, member.settings], sort_keys=True)


def label_variants(members: Sequence[ReportedMember]) -> list[str]:
    """Say what sets each of some members apart: the algorithm, and settings that differ.

    Args:
        members: One of each variant.
    """
    several = len({member.kind for member in members}) > 1
    rest = dict(zip(map(id, members), _own_settings(members), strict=True))
    labels = []
    for member in members:
        text = settings_text(rest[id(member)])
        parts = [member.kind] if several or not text else []
        labels.append(clean(" ".join([*parts, *([text] if text else [])]), _LONGEST))
    return labels


def _own_settings(members: Sequence[ReportedMember]) -> list[dict[str, Any]]:
    """List what each has in its settings that others of its algorithm have not."""
    found: dict[int, dict[str, Any]] = {}
    for kind in dict.fromkeys(member.kind for member in members):
        alike = [member for member in members if member.kind == kind]
        _, rest = split_settings([member.settings for member in alike])
        own = rest if len(alike) > 1 else [{}]
        found |= {id(member): settings for member, settings in zip(alike, own, strict=True)}
    return [found[id(member)] for member in members]


def shared_settings(groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    """List, by algorithm, the settings that all its groups have."""
    found = {}
    for kind in dict.fromkeys(group.kind for group in groups):
        settings = [group.settings for group in groups if group.kind == kind]
        keys = [key for key in settings[0] if all(key in other for other in settings)]
        found[kind] = {
            key: settings[0][key]
            for key in keys
            if all(other[key] == settings[0][key] for other in settings)
        }
    return found


def repeated_seeds(group: Group) -> list[int]:
    """List the seeds that several members of a group have: these are no independent samples."""
    seeds = [member.seed for member in group.members if member.seed is not None]
    return sorted({seed for seed in seeds if seeds.count(seed) > 1})


def mark(index: int) -> str:
    """Name things by letters: A to Z, then AA, AB and so on."""
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters
