"""The file that tells what was done to a population: a line of JSON per change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .._runs.directory import finite
from .records import Change

LINEAGE = "lineage.jsonl"


class Journal:
    """Keeps the changes of a run, and writes them to its folder.

    A run that goes on from a checkpoint goes on with the changes that it had then.

    Attributes:
        lines: The changes so far, each as a line of JSON.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._path: Path | None = None

    def start(self, folder: Path | None) -> None:
        """Begin a run, or go on with one; what its file holds is what is known here.

        Args:
            folder: The run's folder; ``None``: nothing is written.

        Raises:
            OSError: The file can't be written.
        """
        self._path = None if folder is None else folder / LINEAGE
        if self._path is None or (not self.lines and not self._path.exists()):
            return
        new = self._path.with_name(f".{LINEAGE}.new")
        new.write_text("".join(f"{line}\n" for line in self.lines), encoding="utf-8")
        os.replace(new, self._path)

    def add(self, change: Change) -> None:
        """Note a change.

        Raises:
            OSError: It can't be written.
        """
        line = json.dumps(finite(change.plain()), default=str, allow_nan=False)
        self.lines.append(line)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def read_lineage(run: Path) -> list[dict[str, Any]]:
    """Read the changes of a run; a line that was cut short by a kill is left out.

    Args:
        run: The run's folder.

    Returns:
        Each change as :meth:`Change.plain` gave it; empty: there were none.
    """
    try:
        text = (run / LINEAGE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found
