"""What the registry remembers: who offers what, who failed, and why."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from .nouns import FIRST_PARTY

IN_PROCESS = "this process"


@frozen(kw_only=True)
class Source:
    """A plugin and the distribution that it came with.

    Attributes:
        plugin: Name of the entry point, or the name given to ``register``.
        distribution: Name of the distribution; ``"this process"`` for registered objects.
        version: Version of the distribution; empty where there is none.
    """

    plugin: str
    distribution: str
    version: str

    @property
    def first_party(self) -> bool:
        """Whether it is one of Coterie's own distributions."""
        return self.distribution in FIRST_PARTY

    @property
    def key(self) -> str:
        """A name that is unique among plugins."""
        return f"{self.distribution}:{self.plugin}"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@frozen(kw_only=True)
class Offer:
    """A record and who offers it.

    Attributes:
        noun: ``"trainer"``, ``"agent"``, ``"environment"``, ``"logger"`` or ``"controller"``.
        record: The plugin's record.
        source: The plugin.
    """

    noun: str
    record: Any
    source: Source


@frozen(kw_only=True)
class FailedPlugin:
    """A plugin that was not loaded.

    Attributes:
        source: The plugin.
        reason: What went wrong, in one line.
        traceback: The whole story; empty where the reason is all.
        error: The exception behind it; ``None`` where there was none.
    """

    source: Source
    reason: str
    traceback: str = field(default="", repr=False)
    error: BaseException | None = field(default=None, repr=False, eq=False)

    def __str__(self) -> str:
        return f"plugin {self.source.plugin!r} ({self.source}) was not loaded: {self.reason}"


@frozen(kw_only=True)
class Duplicate:
    """A name that more than one plugin offers.

    Attributes:
        noun: ``"trainer"``, ``"agent"``, ``"environment"``, ``"logger"`` or ``"controller"``.
        name: The name.
        sources: Everybody who offers it.
        winner: The first-party plugin that keeps it; ``None``: nobody gets it.
    """

    noun: str
    name: str
    sources: tuple[Source, ...]
    winner: Source | None

    def __str__(self) -> str:
        names = " and ".join(str(source) for source in self.sources)
        return f"{self.noun} {self.name!r} is offered by {names}"
