"""Scaling by running mean and standard deviation."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch

Statistics: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Counts, means and variances of all members."""


class RunningStandardScaler:
    """Brings numbers to mean 0 and standard deviation 1, with statistics per member.

    Before the first :meth:`update` numbers pass unchanged but for the clip. Statistics are
    merged batch by batch (Chan, Golub and LeVeque 1979) in float64.

    Args:
        population: Number of members, P.
        shape: Shape of one sample.
        dtype: Type of the scaled numbers.
        device: Where they live.
        clip: Scaled numbers are cut to ``[-clip, clip]``; ``None``: they are not.

    Attributes:
        count: Samples seen, float64 ``[P]``.
        mean: float64 ``[P, *shape]``.
        variance: Population variance, float64 ``[P, *shape]``.
    """

    EPSILON = 1e-8

    def __init__(
        self,
        population: int,
        shape: tuple[int, ...],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        clip: float | None = 10.0,
    ) -> None:
        self.clip = clip
        self._dtype = dtype
        self.count = torch.zeros(population, dtype=torch.float64, device=device)
        self.mean = torch.zeros((population, *shape), dtype=torch.float64, device=device)
        self.variance = torch.ones((population, *shape), dtype=torch.float64, device=device)
        self._refresh()

    def _refresh(self) -> None:
        self._shift = self.mean.to(self._dtype).unsqueeze(1)
        self._width = (self.variance + self.EPSILON).sqrt().to(self._dtype).unsqueeze(1)

    @property
    def shift_and_width(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What is taken off numbers before scaling, and what they are divided by then."""
        return self._shift, self._width

    def scale(self, values: torch.Tensor) -> torch.Tensor:
        """Scale values ``[P, B, *shape]``."""
        scaled = (values - self._shift).div_(self._width)
        return scaled if self.clip is None else scaled.clamp_(-self.clip, self.clip)

    def unscale(self, values: torch.Tensor) -> torch.Tensor:
        """Undo :meth:`scale`, but for the clip."""
        return values * self._width + self._shift

    def update(
        self,
        values: torch.Tensor,
        weights: torch.Tensor | None = None,
        members: torch.Tensor | None = None,
    ) -> None:
        """Merge a batch into the statistics.

        Args:
            values: ``[P, B, *shape]``.
            weights: 1 for samples that count and 0 for others, ``[P, B]``; ``None``: all count.
            members: bool ``[P]``: whose statistics change; ``None``: everyone's.
        """
        before = self.statistics
        wide = values.to(torch.float64)
        extra = (1,) * (values.dim() - 2)
        if weights is None:
            added = torch.full_like(self.count, values.shape[1])
            mean = wide.mean(1)
            squares = (wide - mean.unsqueeze(1)).square().sum(1)
        else:
            mask = weights.to(torch.float64).reshape(*weights.shape, *extra)
            wide = torch.where(mask > 0, wide, 0.0)
            added = weights.to(torch.float64).sum(1)
            mean = wide.sum(1) / added.clamp(min=1).reshape(-1, *extra)
            squares = ((wide - mean.unsqueeze(1)) * mask).square().sum(1)
        self._merge(mean, squares, added, extra)
        if members is not None:
            self.revert(before, ~members)

    def _merge(
        self, mean: torch.Tensor, squares: torch.Tensor, added: torch.Tensor, extra: tuple[int, ...]
    ) -> None:
        total = (self.count + added).clamp(min=1)
        old, new, whole = (n.reshape(-1, *extra) for n in (self.count, added, total))
        gap = mean - self.mean
        merged = self.variance * old + squares + gap.square() * old * new / whole
        seen = (old + new) > 0
        self.variance = torch.where(seen, merged / whole, self.variance)
        self.mean = self.mean + gap * new / whole
        self.count = self.count + added
        self._refresh()

    @property
    def statistics(self) -> Statistics:
        """Counts, means and variances; an update makes new tensors and leaves these."""
        return self.count, self.mean, self.variance

    def revert(self, statistics: Statistics, members: torch.Tensor) -> None:
        """Give some members (bool ``[P]``) back what :attr:`statistics` said earlier."""
        shaped = members.reshape(-1, *(1,) * (self.mean.dim() - 1))
        count, mean, variance = statistics
        self.count = torch.where(members, count, self.count)
        self.mean = torch.where(shaped, mean, self.mean)
        self.variance = torch.where(shaped, variance, self.variance)
        self._refresh()

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's statistics, as copies."""
        return {
            "count": float(self.count[member]),
            "mean": self.mean[member].clone(),
            "variance": self.variance[member].clone(),
        }

    def load(self, state: dict[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        self.count[member] = float(state["count"])
        self.mean[member] = state["mean"].to(self.mean.device)
        self.variance[member] = state["variance"].to(self.variance.device)
        self._refresh()
