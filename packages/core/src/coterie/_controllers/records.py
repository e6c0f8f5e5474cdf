"""What happened to the members of a population, one record per change. Free of torch."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field, frozen


@frozen(kw_only=True)
class Change:
    """Something that a controller did, or found out.

    Attributes:
        timestep: Timesteps done.
        by: Name of the controller.
        event: What it was: ``"settings"``, ``"copy"``, ``"stop"`` …
        member: Name of the member; empty: all of them.
        donor: Name of the member that was copied; empty: nobody was.
        before: Settings before that are others now, or that were told with it.
        after: The same settings now.
        fitness: How well the member did; ``None``: not known, or of no matter.
        note: Anything else, in one line.
    """

    timestep: int
    by: str
    event: str
    member: str = ""
    donor: str = ""
    before: dict[str, Any] = field(factory=dict)
    after: dict[str, Any] = field(factory=dict)
    fitness: float | None = None
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, without what says nothing."""
        empty: tuple[Any, ...] = ("", None, {})
        return {name: value for name, value in attrs.asdict(self).items() if value not in empty}
