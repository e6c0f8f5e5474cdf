"""Sequences of observations, and where episodes begin in them."""

from __future__ import annotations

import torch
from attrs import frozen


@frozen(eq=False)
class Sequences:
    """What a recurrent network takes in.

    Attributes:
        features: Observations ``[P, B, L, features]``.
        state: What is remembered before the first step, ``[P, B, state_size]``.
        starts: bool ``[P, B, L]``: steps that begin an episode, before which all is forgotten;
            ``None``: none.
    """

    features: torch.Tensor
    state: torch.Tensor
    starts: torch.Tensor | None

    @classmethod
    def one_step(cls, inputs: torch.Tensor, state: torch.Tensor) -> Sequences:
        """Make sequences of one step from inputs ``[P, B, features]``."""
        return cls(inputs.unsqueeze(2), state, None)

    def rows(self, order: torch.Tensor) -> Sequences:
        """Take some sequences of each member.

        Args:
            order: Which ones, int64 ``[P, b]``.
        """
        starts = None if self.starts is None else take_rows(self.starts, order)
        return Sequences(take_rows(self.features, order), take_rows(self.state, order), starts)


def take_rows(tensor: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Take rows of each member.

    Args:
        tensor: ``[P, B, ...]``.
        order: Which ones, int64 ``[P, b]``.

    Returns:
        ``[P, b, ...]``.
    """
    population, total = tensor.shape[:2]
    first = torch.arange(0, population * total, total, device=order.device).unsqueeze(1)
    taken = tensor.flatten(0, 1).index_select(0, (order + first).flatten())
    return taken.view(*order.shape, *tensor.shape[2:])


def episode_starts(ended: torch.Tensor) -> torch.Tensor:
    """Find the steps that begin an episode.

    Args:
        ended: bool ``[P, B, L]``: steps behind which an episode begins.

    Returns:
        bool ``[P, B, L]``; of first steps the state before them tells, so they are ``False``.
    """
    starts = torch.zeros_like(ended)
    starts[..., 1:] = ended[..., :-1]
    return starts
