"""The registry in plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .entries import Duplicate, FailedPlugin, Offer, Source
from .nouns import NOUNS


def listing(
    offers: Sequence[Offer],
    failed: Sequence[FailedPlugin],
    disabled: Sequence[Source],
    duplicates: Sequence[Duplicate],
) -> dict[str, list[dict[str, Any]]]:
    """Describe what the registry holds in dicts, lists and texts.

    Args:
        offers: What can be asked for.
        failed: Plugins that were not loaded.
        disabled: Plugins that are left out.
        duplicates: Names that more than one plugin offers.
    """
    plain: dict[str, list[dict[str, Any]]] = {noun.plural: [] for noun in NOUNS.values()}
    for offer in offers:
        record = offer.record
        row = {"name": record.name, "summary": record.summary, **_source(offer.source)}
        plain[NOUNS[offer.noun].plural].append(row)
    plain["failed"] = [
        {**_source(f.source), "reason": f.reason, "traceback": f.traceback} for f in failed
    ]
    plain["disabled"] = [_source(source) for source in disabled]
    plain["duplicates"] = [
        {
            "noun": duplicate.noun,
            "name": duplicate.name,
            "offered_by": [_source(source) for source in duplicate.sources],
            "kept": None if duplicate.winner is None else duplicate.winner.distribution,
        }
        for duplicate in duplicates
    ]
    return plain


def _source(source: Source) -> dict[str, str]:
    return {
        "plugin": source.plugin,
        "distribution": source.distribution,
        "version": source.version,
    }
