"""The process of an island on a Ray cluster."""

from __future__ import annotations

import os
import platform
from typing import Any

from coterie.islands import Answer, Island


class IslandActor:
    """Holds one island; its methods are Ray's to call, one after the other."""

    _island: Island

    def build(self, blueprint: bytes) -> None:
        """Begin an island.

        Args:
            blueprint: What it is built from.
        """
        self._island = Island(blueprint)

    def answer(self, name: str, argument: Any) -> Answer:
        """Let the island answer a call; arguments as for :meth:`Island.answer`."""
        return self._island.answer(name, argument)

    def where(self) -> str:
        """Say where the process runs."""
        return f"{platform.node()}, process {os.getpid()}"
