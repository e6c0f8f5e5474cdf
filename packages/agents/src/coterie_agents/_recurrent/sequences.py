"""Sequences of observations, and where episodes begin in them."""

from __future__ import annotations

import torch
from attrs import frozen


@frozen(eq=False)
class Sequences:
    """What a recurrent network takes in.

    Attributes:
        features: Observations ``[P, B, L, features]``.
        state: What is remembered before the first step, ``[P, B, state_size]``; ``None``:
            nothing.
        starts: bool ``[P, B, L]``: steps that begin an episode, before which all is forgotten;
            ``None``: none.
        burn_in: Steps at the start that are only gone through, to remember: without gradients,
            and nothing comes out of them.
    """

    features: torch.Tensor
    state: torch.Tensor | None
    starts: torch.Tensor | None
    burn_in: int = 0

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
        state = None if self.state is None else take_rows(self.state, order)
        return Sequences(take_rows(self.features, order), state, starts, self.burn_in)

    def spread(self, count: int) -> Sequences:
        """Repeat every member's sequences, for ``count`` networks of each."""

        def repeat(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return None if tensor is None else tensor.repeat_interleave(count, 0)

        features = self.features.repeat_interleave(count, 0)
        return Sequences(features, repeat(self.state), repeat(self.starts), self.burn_in)

    def split(self) -> tuple[Sequences, torch.Tensor, torch.Tensor | None]:
        """Part what is burnt in from the rest.

        Returns:
            What is burnt in, as sequences of their own, and features and starts of the rest.
        """
        n, starts = self.burn_in, self.starts
        early, late = (None, None) if starts is None else (starts[:, :, :n], starts[:, :, n:])
        return Sequences(self.features[:, :, :n], self.state, early), self.features[:, :, n:], late


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


def parted(tensor: torch.Tensor, dim: int, sizes: tuple[int, ...]) -> torch.Tensor:
    """Cut a dimension into several; one of the sizes may be -1."""
    result: torch.Tensor = tensor.unflatten(dim, sizes)  # type: ignore[no-untyped-call]
    return result


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
