"""Metrics as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coterie import MetricRow


def member_lines(rows: Iterable[MetricRow]) -> Iterator[str]:
    """Gather rows into a line per member and timestep.

    Args:
        rows: Rows in any order.

    Yields:
        Lines such as ``"step 500 seed-0: episode/return=12.5 loss=0.25"``.
    """
    gathered: dict[tuple[int, str], list[str]] = {}
    for row in rows:
        gathered.setdefault((row.timestep, row.member), []).append(f"{row.name}={row.value:.6g}")
    for (timestep, member), parts in gathered.items():
        yield f"step {timestep} {member}: {' '.join(parts)}"
