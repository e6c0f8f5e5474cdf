"""Scaling of losses, so that gradients in float16 don't vanish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .autocast import FULL, Precision

FIRST_SCALE = 65536.0
GROWTH = 2.0
BACKOFF = 0.5
GROWTH_INTERVAL = 2000


class LossScaler:
    """A scale of the loss for each member, which follows what its gradients can stand.

    The arithmetic is that of ``torch.amp.GradScaler``: a gradient that is not finite makes its
    member skip the step and halve its scale; after 2000 steps in a row that were made the scale
    doubles (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2). Nothing is transferred to
    the host. A loss that is not finite itself, or a gradient that is not at a scale of 1 or
    less, is no matter of scaling: the guard of the learner sees it.

    Without float16 nothing is scaled, and every method hands back what it was given.

    Args:
        population: Number of members, P.
        precision: How the networks are run.
        device: Where the scales live.

    Attributes:
        scale: float32 ``[P]``; ``None``: nothing is scaled.
        streak: Steps in a row that were made, int32 ``[P]``.
    """

    def __init__(self, population: int, precision: Precision, device: torch.device) -> None:
        self.scale: torch.Tensor | None = None
        self._skips: torch.Tensor | None = None
        if precision.low is torch.float16:
            self.scale = torch.full((population,), FIRST_SCALE, device=device)
            self.streak = torch.zeros(population, dtype=torch.int32, device=device)

    def enlarge(self, loss: torch.Tensor) -> torch.Tensor:
        """Scale what is differentiated: losses ``[P]``, or their slopes ``[P, ...]``."""
        if self.scale is None:
            return loss
        return loss * self.scale.view(-1, *(1,) * (loss.dim() - 1))

    @torch.no_grad()
    def shrink(self, gradient: torch.Tensor) -> torch.Tensor:
        """Bring gradients ``[P, total]`` back to their size, in place."""
        if self.scale is None:
            return gradient
        return gradient.mul_(self.scale.double().reciprocal().float().unsqueeze(1))

    @torch.no_grad()
    def check(self, norm: torch.Tensor, members: torch.Tensor | None = None) -> torch.Tensor:
        """Look for gradients that overflowed, and let the scales follow.

        Args:
            norm: Norms of the gradients, ``[P]``.
            members: bool ``[P]``: those that take part; ``None``: all.

        Returns:
            The norms, 0 for members that skip the step.
        """
        if self.scale is None:
            return norm
        before = self.scale, self.streak
        wrong = ~torch.isfinite(norm)
        self._skips = wrong & (self.scale > 1)
        streak = torch.where(wrong, 0, self.streak + 1)
        grown = self.scale * GROWTH
        grows = (streak == GROWTH_INTERVAL) & torch.isfinite(grown)
        followed = torch.where(grows, grown, self.scale)
        self.scale = torch.where(wrong, self.scale * BACKOFF, followed)
        self.streak = torch.where(streak == GROWTH_INTERVAL, 0, streak).to(torch.int32)
        if members is not None:
            self.scale = torch.where(members, self.scale, before[0])
            self.streak = torch.where(members, self.streak, before[1])
        return torch.where(self._skips, 0.0, norm)

    def allowed(self, active: torch.Tensor | None) -> torch.Tensor | None:
        """Take out who skips the step that :meth:`check` was asked about.

        Args:
            active: bool ``[P]``: members that may make it; ``None``: all.
        """
        if self._skips is None:
            return active
        return ~self._skips if active is None else active & ~self._skips

    def scalars(self, name: str = "loss_scale") -> dict[str, torch.Tensor]:
        """Return the scales ``[P]`` under a name; empty: nothing is scaled."""
        return {} if self.scale is None else {name: self.scale.clone()}

    def state(self, member: int = 0) -> dict[str, Any] | None:
        """Return a member's scale and streak; ``None``: nothing is scaled."""
        if self.scale is None:
            return None
        return {"scale": float(self.scale[member]), "streak": int(self.streak[member])}

    def load(self, state: Mapping[str, Any] | None, member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        if self.scale is not None and state is not None:
            self.scale[member] = float(state["scale"])
            self.streak[member] = int(state["streak"])


UNSCALED = LossScaler(1, FULL, torch.device("cpu"))
"""Scales nothing."""


def scaler_states(scalers: Mapping[str, LossScaler], member: int) -> dict[str, Any]:
    """Return a part of a member's state: the scales by name, if there are any.

    Args:
        scalers: By what they scale.
        member: Which member.

    Returns:
        ``{"loss_scales": ...}``, or nothing, so that states without scaling stay as they were.
    """
    found = {name: scaler.state(member) for name, scaler in scalers.items()}
    return {"loss_scales": found} if any(found.values()) else {}


def load_scalers(scalers: Mapping[str, LossScaler], state: Mapping[str, Any], member: int) -> None:
    """Take over what :func:`scaler_states` returned."""
    for name, own in state.get("loss_scales", {}).items():
        scalers[name].load(own, member)
