"""Numbers that change as timesteps pass."""

from __future__ import annotations

import torch


def linear_schedule(
    first: torch.Tensor, last: torch.Tensor, over: torch.Tensor, step: int
) -> torch.Tensor:
    """Go in a straight line from one number to another, and stay there.

    Args:
        first: Where each member starts, ``[P]``.
        last: Where it ends, ``[P]``.
        over: Steps that it takes, ``[P]``, at least 1.
        step: Steps that were made.

    Returns:
        ``[P]``.
    """
    share = (step / over).clamp(max=1.0)
    return torch.lerp(first, last, share)
