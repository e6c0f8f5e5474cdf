"""Random numbers of each member's own generator, drawn many timesteps at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch


class Draws:
    """A row of random numbers for each timestep (or optimiser step), drawn in blocks.

    Every member draws blocks of one size from its own generator, so that its numbers are the
    same alone and in a stack, and a row for all members costs no call per member.

    Args:
        generators: One per member, P; a block is drawn from them when its first row is asked for.
        shape: Shape of a member's row.
        kind: ``"uniform"``: float64 in ``[0, 1)``; ``"normal"``: standard normal float32.
        rows: Rows in a block.

    Attributes:
        position: Row of the block that is current.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        shape: Sequence[int],
        kind: Literal["uniform", "normal"],
        *,
        rows: int = 64,
    ) -> None:
        self.generators, self.shape = list(generators), tuple(shape)
        self.kind, self.rows = kind, rows
        self.position = rows
        self._block: torch.Tensor | None = None

    def current(self) -> torch.Tensor:
        """Return the current row ``[P, *shape]``; the same until :meth:`advance`."""
        if self._block is None or self.position >= self.rows:
            drawn = [self._draw(generator) for generator in self.generators]
            self._block, self.position = torch.stack(drawn, dim=1), 0
        return self._block[self.position]

    def advance(self) -> None:
        """Go on to the next row; rows that nobody asked for are not drawn."""
        if self.position < self.rows:
            self.position += 1

    def take(self) -> torch.Tensor:
        """Return the current row and go on."""
        row = self.current()
        self.position += 1
        return row

    def _draw(self, generator: torch.Generator) -> torch.Tensor:
        draw = torch.rand if self.kind == "uniform" else torch.randn
        size = (self.rows, *self.shape)
        return draw(size, generator=generator, device=generator.device, dtype=self._dtype)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.float64 if self.kind == "uniform" else torch.float32

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's numbers that are left, as copies."""
        if self._block is None or self.position >= self.rows:
            return {"left": None}
        return {"left": self._block[self.position :, member].clone()}

    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        left = state["left"]
        if left is None:
            self.position = self.rows
            return
        if self._block is None:
            size = (self.rows, len(self.generators), *self.shape)
            device = self.generators[member].device
            self._block = torch.zeros(size, dtype=self._dtype, device=device)
        self.position = self.rows - len(left)
        self._block[self.position :, member] = left.to(self._block)
