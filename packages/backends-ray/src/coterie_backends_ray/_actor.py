"""The process of an island on a Ray cluster."""

from __future__ import annotations

import os
import platform
import traceback
from typing import Any

from coterie import CoterieError
from coterie.islands import Answer, Island
from coterie.transport import pack_small


class IslandActor:
    """Holds one island; its methods are Ray's to call, one after the other."""

    def __init__(self) -> None:
        self._blueprint = b""
        self._island: Island | None = None

    def build(self, blueprint: bytes) -> None:
        """Remember what the island is built from, with the first call.

        Args:
            blueprint: What it is built from.
        """
        self._blueprint, self._island = blueprint, None

    def answer(self, name: str, argument: Any) -> Answer:
        """Let the island answer a call; arguments as for :meth:`Island.answer`."""
        if self._island is None:
            try:
                self._island = Island(self._blueprint)
            except Exception as error:
                return Answer(error=_packed(error))
        return self._island.answer(name, argument)

    def where(self) -> str:
        """Say where the process runs."""
        return f"{platform.node()}, process {os.getpid()}"


def _packed(error: Exception) -> bytes:
    try:
        return pack_small(error)
    except Exception:
        return pack_small(CoterieError("".join(traceback.format_exception(error))))
