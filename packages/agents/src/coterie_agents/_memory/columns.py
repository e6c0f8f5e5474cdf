"""Places in a ring of timesteps: a column per instance, each with its own head."""

from __future__ import annotations

import torch


class Columns:
    """Where samples lie in a ring of rows, for ``P * N`` columns.

    Column ``n`` of member ``p`` holds the samples of one instance in the order in which they
    happened. Its *head* counts them; sample number ``s`` lies in row ``s % rows``.
    The row that the head points to never counts as filled: a sample that is no experience is
    written there and simply overwritten by the next one.

    As long as every sample counts, all heads are one number and no tensor is touched.

    Args:
        capacity: Samples that a column can hold.
        population: Members, P.
        num_envs: Instances of each member, N.
        device: Where places are computed.
        width: Columns of the tensors that places point into; ``None``: ``P * N``.
        first: Position among them of the first column.
        rows: Rows of the ring, at least ``capacity + 1``.

    Attributes:
        even: The head of all columns, or ``None`` where they differ.
        reach: How many of the latest samples of a column are drawn from.
    """

    def __init__(
        self,
        capacity: int,
        population: int,
        num_envs: int,
        device: torch.device | str = "cpu",
        *,
        width: int | None = None,
        first: int = 0,
        rows: int | None = None,
    ) -> None:
        self.capacity, self.rows = capacity, capacity + 1 if rows is None else rows
        self.population, self.num_envs = population, num_envs
        self.even: int | None = 0
        self.reach = capacity
        self._heads = torch.zeros(population, num_envs, dtype=torch.int64, device=device)
        self.width = population * num_envs if width is None else width
        own = torch.arange(first, first + population * num_envs, device=device)
        self._own = own.view(population, num_envs)
        self._first = self._own[:, :1]

    @property
    def heads(self) -> torch.Tensor:
        """Samples that each column has seen in all, int64 ``[P, N]``."""
        if self.even is not None:
            self._heads.fill_(self.even)
        return self._heads

    @property
    def filled(self) -> torch.Tensor:
        """Samples of each column that are drawn from, int64 ``[P, N]``."""
        return self.heads.clamp(max=self.reach)

    def next_places(self) -> torch.Tensor:
        """Return the flat places ``[P * N]`` that the next samples go to."""
        return self.flat(self.heads, None).reshape(-1)

    def advance(self, counts: torch.Tensor | None) -> None:
        """Count the samples that were just written.

        Args:
            counts: bool ``[P * N]``: which of them are experience; ``None``: all.
        """
        if counts is None and self.even is not None:
            self.even += 1
            return
        heads = self.heads
        self.even = None
        if counts is None:
            heads.add_(1)
        else:
            heads.add_(counts.view_as(heads))

    def draw(self, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Choose samples, each with the same probability within its member.

        Args:
            uniforms: Numbers of ``[0, 1)``, float64 ``[P, B]``.

        Returns:
            Sample numbers and columns, int64 ``[P, B]`` each.
        """
        if self.even is not None:
            count = min(self.even, self.reach)
            order = (uniforms * (count * self.num_envs)).long()
            column = torch.div(order, count, rounding_mode="floor")
            return order - column * count + (self.even - count), column
        filled = self.filled
        ends = filled.cumsum(1)
        order = (uniforms * ends[:, -1:]).long()
        column = torch.searchsorted(ends, order, right=True)
        first = (self._heads - ends).gather(1, column)
        return order + first, column

    def head_of(self, column: torch.Tensor) -> torch.Tensor | int:
        """Return the heads of columns ``[P, B]`` (one number where all are alike)."""
        return self._heads.gather(1, column) if self.even is None else self.even

    def flat(self, number: torch.Tensor, column: torch.Tensor | None) -> torch.Tensor:
        """Turn sample numbers into places in a tensor ``[rows * width, ...]``.

        Args:
            number: Sample numbers, int64 ``[P, B]``, at least 0.
            column: Columns ``[P, B]``; ``None``: ``B`` is ``N`` and they are in order.
        """
        own = self._own if column is None else column + self._first
        return torch.remainder(number, self.rows) * self.width + own

    def latest(
        self, heads: torch.Tensor, member: int, size: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find a member's latest samples, oldest first.

        Args:
            heads: Heads of its columns, int64 ``[N]``.
            member: The member.
            size: How many of each column.

        Returns:
            Places ``[size, N]``, and bool ``[size, N]``: whether there was such a sample.
        """
        ages = torch.arange(size, 0, -1, device=heads.device).unsqueeze(1)
        numbers = heads - ages
        places = torch.remainder(numbers.clamp(min=0), self.rows) * self.width
        return places + self._own[member], numbers >= 0

    def load(self, heads: torch.Tensor, member: int) -> None:
        """Set the heads ``[N]`` of a member."""
        whole = self.heads
        whole[member] = heads.to(whole.device)
        head = int(whole[0, 0])
        self.even = head if bool((whole == head).all()) else None

    def clear(self) -> None:
        """Forget all samples."""
        self.even = 0
