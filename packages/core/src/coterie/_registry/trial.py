"""Try a plugin out on its own before it may join the others."""

from __future__ import annotations

from typing import Any

import pluggy

from .entries import Offer, Source
from .hookspecs import API_VERSION, CoterieSpecs
from .nouns import NOUNS, Noun


class Refused(Exception):
    """The plugin breaks the contract; the text says how."""


def new_manager() -> pluggy.PluginManager:
    """Make a plugin manager that knows Coterie's hooks and has no plugin."""
    manager = pluggy.PluginManager("coterie")
    manager.add_hookspecs(CoterieSpecs)
    return manager


def try_out(plugin: object, source: Source) -> list[Offer]:
    """Register ``plugin`` with a plugin manager of its own and collect what it offers.

    Nothing of a plugin that is refused stays behind, because the manager is thrown away.

    Args:
        plugin: A module or object with marked hook implementations.
        source: Where it is from.

    Returns:
        What it offers.

    Raises:
        Refused: Another version of the interface, no hook, a wrapper, or records that are wrong.
        pluggy.PluginValidationError: An unknown hook or a wrong signature.
        Exception: Whatever the plugin's hooks raise.
    """
    wanted = getattr(plugin, "coterie_api_version", API_VERSION)
    if wanted != API_VERSION:
        raise Refused(
            f"it needs version {wanted!r} of the plugin interface, this is version {API_VERSION}"
        )
    manager = new_manager()
    manager.register(plugin, name=source.key)
    manager.check_pending()
    callers = manager.get_hookcallers(plugin) or []
    if not callers:
        raise Refused("it implements no hook; mark its functions with coterie.plugins.hookimpl")
    for caller in callers:
        if any(impl.hookwrapper or impl.wrapper for impl in caller.get_hookimpls()):
            raise Refused(f"{caller.name} is a wrapper; hooks of Coterie can't be wrapped")
    return [offer for noun in NOUNS.values() for offer in _offers(manager, noun, source)]


def _offers(manager: pluggy.PluginManager, noun: Noun, source: Source) -> list[Offer]:
    found: dict[str, Offer] = {}
    for impl in getattr(manager.hook, noun.hook).get_hookimpls():
        for record in _records(impl.function(), noun):
            if record.name in found:
                raise Refused(f"{noun.hook} offers {record.name!r} twice")
            found[record.name] = Offer(noun=noun.name, record=record, source=source)
    return list(found.values())


def _records(result: Any, noun: Noun) -> list[Any]:
    expected = f"{noun.hook} must give {noun.record.__name__} records"
    if result is None or isinstance(result, noun.record | str):
        raise Refused(f"{expected} in a list or with yield, got {result!r}")
    try:
        iterator = iter(result)
    except TypeError:
        raise Refused(f"{expected} in a list or with yield, got {result!r}") from None
    records = list(iterator)
    for record in records:
        if not isinstance(record, noun.record):
            raise Refused(f"{expected}, got {record!r}")
    return records
