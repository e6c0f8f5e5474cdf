"""Recurrent layers of stacked members, unrolled over sequences with episodes that end in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from attrs import frozen

Unroll: TypeAlias = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None],
    tuple[torch.Tensor, torch.Tensor],
]


@frozen
class Cell:
    """A kind of recurrent layer.

    Attributes:
        gates: Blocks of ``hidden_size`` columns in its weights.
        parts: Vectors of ``hidden_size`` in its state.
        unroll: Runs a layer over sequences; see :func:`unroll_gru`.
    """

    gates: int
    parts: int
    unroll: Unroll


def unroll_gru(
    inputs: torch.Tensor,
    state: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    starts: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a GRU layer; the equations and the order of gates are those of ``torch.nn.GRU``.

    With r and z the reset and update gates: ``n = tanh(x_n + r (W_n h + b_n))`` and
    ``h' = (1 - z) n + z h``.

    Args:
        inputs: The inputs' part of the gates, ``[P, B, L, 3 H]``.
        state: What was remembered before, ``[P, B, H]``.
        weight: From what is remembered to the gates, ``[P, H, 3 H]``.
        bias: ``[P, 1, 3 H]``.
        starts: bool ``[P, B, L]``: steps before which all is forgotten; ``None``: none.

    Returns:
        Outputs ``[P, B, L, H]``, and what is remembered after each step (here the same).
    """
    size = weight.shape[1]
    hidden, steps = state, []
    for t, step in enumerate(inputs.unbind(2)):
        hidden = hidden if starts is None else _forget(hidden, starts, t)
        own = torch.baddbmm(bias, hidden, weight)
        gates = (step[..., : 2 * size] + own[..., : 2 * size]).sigmoid()
        reset, update = gates.split_with_sizes([size, size], -1)
        new = torch.addcmul(step[..., 2 * size :], reset, own[..., 2 * size :]).tanh()
        hidden = torch.lerp(new, hidden, update)
        steps.append(hidden)
    outputs = torch.stack(steps, 2)
    return outputs, outputs


def unroll_lstm(
    inputs: torch.Tensor,
    state: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    starts: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run an LSTM layer; the equations and the order of gates are those of ``torch.nn.LSTM``.

    With input, forget and output gates i, f, o and g of the cell: ``c' = f c + i g`` and
    ``h' = o tanh(c')``.

    Args:
        inputs: The inputs' part of the gates, ``[P, B, L, 4 H]``.
        state: Outputs and cells before, side by side, ``[P, B, 2 H]``.
        weight: From the outputs before to the gates, ``[P, H, 4 H]``.
        bias: ``[P, 1, 4 H]``.
        starts: bool ``[P, B, L]``: steps before which all is forgotten; ``None``: none.

    Returns:
        Outputs ``[P, B, L, H]``, and states after each step, ``[P, B, L, 2 H]``.
    """
    size = weight.shape[1]
    hidden, cell = state.split_with_sizes([size, size], -1)
    steps, cells = [], []
    for t, step in enumerate(inputs.unbind(2)):
        if starts is not None:
            hidden, cell = _forget(hidden, starts, t), _forget(cell, starts, t)
        gates = torch.baddbmm(bias, hidden, weight) + step
        write, keep, new, show = gates.split_with_sizes([size] * 4, -1)
        cell = torch.addcmul(keep.sigmoid() * cell, write.sigmoid(), new.tanh())
        hidden = show.sigmoid() * cell.tanh()
        steps.append(hidden)
        cells.append(cell)
    outputs = torch.stack(steps, 2)
    return outputs, torch.cat([outputs, torch.stack(cells, 2)], -1)


def _forget(state: torch.Tensor, starts: torch.Tensor, t: int) -> torch.Tensor:
    """Forget what came before an episode, also where it is not finite."""
    return state.masked_fill(starts[:, :, t].unsqueeze(-1), 0.0)


CELLS = {"gru": Cell(3, 1, unroll_gru), "lstm": Cell(4, 2, unroll_lstm)}
"""The kinds of recurrent layers by name."""
