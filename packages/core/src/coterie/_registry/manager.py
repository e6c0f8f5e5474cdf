"""The registry: every trainer, agent, environment and logger that is installed, by name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from importlib import metadata
from types import ModuleType
from typing import Any

from .._errors import ConfigError, PluginError, PluginNotFound
from .discovery import guarded, installed, left_out, normalised
from .entries import IN_PROCESS, Duplicate, FailedPlugin, Offer, Source
from .events import Events
from .listing import listing
from .messages import not_found
from .nouns import NOUNS, home_of
from .trial import new_manager, try_out

_log = logging.getLogger("coterie")


class Registry:
    """What plugins offer, who failed to load, and the events of a run.

    Each plugin is imported and tried out on its own; one that fails is remembered and takes
    nothing and nobody with it.
    """

    def __init__(self) -> None:
        self._manager = new_manager()
        self._events = Events(self._manager)
        self._offers: list[Offer] = []
        self._packages: dict[str, str] = {}
        self._failed: list[FailedPlugin] = []
        self._disabled: list[Source] = []

    @property
    def failed(self) -> tuple[FailedPlugin, ...]:
        """Plugins that were not loaded, and why."""
        return tuple(self._failed)

    @property
    def disabled(self) -> tuple[Source, ...]:
        """Plugins that ``COTERIE_DISABLE_PLUGINS`` leaves out."""
        return tuple(self._disabled)

    def load_installed(self) -> None:
        """Load every installed entry point of the group ``coterie``, one at a time."""
        for source, point in installed():
            if left_out(source):
                self._disabled.append(source)
            else:
                self._load(source, point)
        for duplicate in self.duplicates():
            kept = f"; that of {duplicate.winner} is kept" if duplicate.winner else ""
            _warn(f"{duplicate}{kept}")

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add a plugin that lives in this process only; another of its name is replaced.

        Args:
            plugin: A module or object with marked hook implementations.
            name: Name of the plugin; ``None``: the module's or class's name.

        Raises:
            PluginError: It breaks the contract or offers a name that is taken.
        """
        name = name or getattr(plugin, "__name__", None) or type(plugin).__name__
        source = Source(plugin=name, distribution=IN_PROCESS, version="")
        outcome = guarded(lambda: try_out(plugin, source), source, _package_of(plugin))
        if isinstance(outcome, FailedPlugin):
            raise PluginError(str(outcome)) from outcome.error
        others = [offer for offer in self._offers if offer.source != source]
        for offer in outcome:
            _refuse_taken(offer, others)
        if self._manager.has_plugin(source.key):
            self._manager.unregister(name=source.key)
        self._join(plugin, source, _package_of(plugin), others, outcome)

    def names(self, noun: str) -> list[str]:
        """List the names of a noun that can be asked for, sorted."""
        return [offer.record.name for offer in self.offers(noun)]

    def offers(self, noun: str) -> list[Offer]:
        """List what is offered of a noun and can be asked for, in order of name."""
        lost = {(d.noun, d.name): d.winner for d in self.duplicates()}
        return sorted(
            (
                offer
                for offer in self._offers
                if offer.noun == noun
                and lost.get((noun, offer.record.name), offer.source) == offer.source
            ),
            key=lambda offer: str(offer.record.name),
        )

    def duplicates(self) -> list[Duplicate]:
        """List the names that more than one plugin offers."""
        by_name: dict[tuple[str, str], list[Source]] = {}
        for offer in self._offers:
            by_name.setdefault((offer.noun, offer.record.name), []).append(offer.source)
        return [
            Duplicate(noun=noun, name=name, sources=tuple(sources), winner=_winner(sources))
            for (noun, name), sources in sorted(by_name.items())
            if len(sources) > 1
        ]

    def find(self, noun: str, name: str) -> Offer:
        """Look up what a name stands for.

        Args:
            noun: ``"trainer"``, ``"agent"``, ``"environment"`` or ``"logger"``.
            name: The name.

        Returns:
            The record and who offers it.

        Raises:
            ConfigError: The name is no text.
            PluginNotFound: Nobody offers it; the message tells near names and what to install.
            PluginError: The plugin was not loaded, or several offer the name.
        """
        if not isinstance(name, str):
            raise ConfigError(f"the name of {_a(noun)} must be a text, got {name!r}")
        for offer in self.offers(noun):
            if offer.record.name == name:
                return offer
        for duplicate in self.duplicates():
            if (duplicate.noun, duplicate.name) == (noun, name):
                raise PluginError(
                    f"{duplicate}; uninstall one of them, or leave one out with "
                    f"COTERIE_DISABLE_PLUGINS={duplicate.sources[-1].distribution}"
                )
        self._raise_failure(noun, name)
        raise PluginNotFound(not_found(noun, name, self.names(noun), self._failed, self._disabled))

    def load(self, noun: str, name: str) -> type[Any]:
        """Import the class that a name stands for.

        Args:
            noun: ``"trainer"``, ``"agent"``, ``"environment"`` or ``"logger"``.
            name: The name.

        Raises:
            PluginError: As :meth:`find`; or it can't be imported, or is not the right class.
        """
        offer = self.find(noun, name)
        base = NOUNS[noun].base_class()
        package = self._packages[offer.source.key]
        loaded = guarded(offer.record.loader, offer.source, package)
        label = f"{noun} {name!r} of plugin {offer.source.plugin!r} ({offer.source})"
        if isinstance(loaded, FailedPlugin):
            raise PluginError(f"{label} can't be loaded: {loaded.reason}") from loaded.error
        if not (isinstance(loaded, type) and issubclass(loaded, base)):
            raise PluginError(
                f"{label}: its loader must return a subclass of coterie.{base.__name__}, "
                f"got {loaded!r}"
            )
        return loaded

    def emit(self, hook: str, **arguments: Any) -> list[Any]:
        """Tell the plugins of an event; one that raises is warned about and never stops the run.

        Args:
            hook: Name of the hook, such as ``"coterie_run_started"``.
            arguments: Arguments of the hook.

        Returns:
            What they answered.
        """
        return self._events.emit(hook, **arguments)

    def listens(self, hook: str) -> bool:
        """Whether any plugin implements ``hook``."""
        return self._events.listens(hook)

    def listing(self) -> dict[str, list[dict[str, Any]]]:
        """Describe everything in plain values, for people and for ``--json``.

        Returns:
            Lists under ``trainers``, ``agents``, ``environments``, ``loggers`` (name, summary,
            plugin, distribution, version), ``failed`` (with reason and traceback), ``disabled``
            and ``duplicates``.
        """
        offers = [offer for noun in NOUNS for offer in self.offers(noun)]
        return listing(offers, self._failed, self._disabled, self.duplicates())

    def _load(self, source: Source, point: metadata.EntryPoint) -> None:
        package = point.value.partition(":")[0].strip().partition(".")[0]
        plugin = guarded(point.load, source, package)
        if isinstance(plugin, FailedPlugin):
            return self._remember(plugin)
        offers = guarded(lambda: try_out(plugin, source), source, package)
        if isinstance(offers, FailedPlugin):
            return self._remember(offers)
        if self._manager.is_registered(plugin):
            other = self._manager.get_name(plugin)
            reason = f"{point.value} is registered already, as {other}"
            return self._remember(FailedPlugin(source=source, reason=reason))
        return self._join(plugin, source, package, self._offers, offers)

    def _join(
        self,
        plugin: object,
        source: Source,
        package: str,
        others: Sequence[Offer],
        offers: Sequence[Offer],
    ) -> None:
        self._manager.register(plugin, name=source.key)
        self._packages[source.key] = package
        self._offers = [*others, *offers]

    def _remember(self, failure: FailedPlugin) -> None:
        self._failed.append(failure)
        _warn(str(failure))

    def _raise_failure(self, noun: str, name: str) -> None:
        """Raise the failure of the plugin that ``name`` means, if there is one."""
        wanted = {name, normalised(name), home_of(noun, name)}
        for failure in self._failed:
            if wanted & {failure.source.plugin, failure.source.distribution}:
                raise PluginError(str(failure)) from failure.error


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _package_of(plugin: object) -> str:
    module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    return module.partition(".")[0]


def _winner(sources: Sequence[Source]) -> Source | None:
    own = [source for source in sources if source.first_party]
    return own[0] if len(own) == 1 else None


def _refuse_taken(offer: Offer, others: Sequence[Offer]) -> None:
    for other in others:
        if (other.noun, other.record.name) == (offer.noun, offer.record.name):
            raise PluginError(
                f"plugin {offer.source.plugin!r} offers the {offer.noun} "
                f"{offer.record.name!r}, which {other.source} offers already; choose another name"
            )


def _warn(text: str) -> None:
    """Log one line; a worker process stays quiet, its parent has said the same."""
    import multiprocessing

    quiet = multiprocessing.parent_process() is not None
    _log.log(logging.DEBUG if quiet else logging.WARNING, text)


_lock = threading.RLock()
_current: Registry | None = None


def registry() -> Registry:
    """Return this process's registry; the first call finds and loads the installed plugins."""
    global _current
    with _lock:
        if _current is None:
            # Known before it is complete: a plugin that asks for it while it is being imported
            # gets what there is so far instead of a second round.
            _current = Registry()
            try:
                _current.load_installed()
            except BaseException:
                _current = None
                raise
        return _current


def reset_registry() -> None:
    """Forget the registry: the next call of :func:`registry` finds the plugins anew."""
    global _current
    with _lock:
        _current = None


def register(plugin: object, name: str | None = None) -> None:
    """Add a plugin to this process's registry, for notebooks, scripts and tests.

    Other processes do not see it: what workers must find by name comes in a distribution of
    its own, with an entry point.

    Args:
        plugin: A module or object whose functions are marked with
            :data:`coterie.plugins.hookimpl`.
        name: Name of the plugin; ``None``: the module's or class's name. An earlier one that was
            registered with this name is replaced.

    Raises:
        PluginError: It breaks the contract, or offers a name that is taken.
    """
    registry().register(plugin, name)
