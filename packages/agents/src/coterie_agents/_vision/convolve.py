"""Convolutions of a stack of members."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from .plan import ImagePlan

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "elu": functional.elu,
    "silu": functional.silu,
}

_GROUPED_WORK = 16_000_000
"""Multiplications of a member up to which the members' convolutions are one call with a group
each. One core, milliseconds, 16 members that act in 8 instances each: 10 x 10 x 3 and the small
network 2.1 grouped and 14 in turn; 84 x 84 x 4 and the Nature network 53 and 42."""

_CHANNELS_LAST_WORK = 1_000_000
"""Multiplications for an image from which channels lie last in memory. Milliseconds, forward and
backward: 64 images of 84 x 84 x 4 take 75 with channels first and 54 last; 256 of 10 x 10 x 3
take 15 and 27."""

_CHUNK_BYTES = 8 * 2**20
"""Images that go through all layers together on the CPU, as numbers: more of them need memory,
not less time."""


def planes(image: torch.Tensor, plan: ImagePlan, dtype: torch.dtype) -> torch.Tensor:
    """Bring images to ``[P, B, channels, height, width]``; bytes are scaled by 1/255.

    Args:
        image: As the environment gives them, ``[P, B, *shape]``.
        plan: How they are read.
        dtype: Type of the result.
    """
    if not plan.channels_first:
        image = image.movedim(-1, -3)
    if len(plan.shape) == 4:
        image = image.flatten(2, 3)
    found = image.to(dtype)
    return found.div_(255) if plan.is_bytes else found


def convolve(
    x: torch.Tensor,
    plan: ImagePlan,
    weights: Sequence[torch.Tensor],
    biases: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Run all convolutions of a plan.

    Args:
        x: ``[P, B, channels, height, width]``.
        plan: The layers.
        weights: ``[P, out, in, kernel, kernel]`` of each layer.
        biases: ``[P, out]`` of each layer.

    Returns:
        ``[P, B, plan.flat]``, channels first.
    """
    population, rows = x.shape[:2]
    last = x.device.type == "cpu" and plan.work >= _CHANNELS_LAST_WORK
    layout = torch.channels_last if last else torch.contiguous_format
    in_turn = x.device.type == "cpu" and rows * plan.work > _GROUPED_WORK
    if population == 1 or in_turn:
        members = zip(
            x.unbind(0),
            zip(*(w.unbind(0) for w in weights), strict=True),
            zip(*(b.unbind(0) for b in biases), strict=True),
            strict=True,
        )
        found = [_run(own.contiguous(memory_format=layout), plan, w, b) for own, w, b in members]
        flat = [y.flatten(1) for y in found]
        return flat[0].unsqueeze(0) if population == 1 else torch.stack(flat)
    side_by_side = x.transpose(0, 1).flatten(1, 2).contiguous(memory_format=layout)
    merged = [w.flatten(0, 1) for w in weights], [b.flatten() for b in biases]
    y = _run(side_by_side, plan, *merged, groups=population)
    return y.view(rows, population, -1).transpose(0, 1)


def _run(
    x: torch.Tensor,
    plan: ImagePlan,
    weights: Sequence[torch.Tensor],
    biases: Sequence[torch.Tensor],
    groups: int = 1,
) -> torch.Tensor:
    activate = ACTIVATIONS[plan.activation]
    for (_, _, stride), weight, bias in zip(plan.layers, weights, biases, strict=True):
        x = activate(functional.conv2d(x, weight, bias, stride=stride, groups=groups))
    return x


def chunk_rows(plan: ImagePlan) -> int:
    """Images of a member that go through the layers together where nothing is recorded."""
    numbers = plan.channels * plan.height * plan.width
    return max(16, _CHUNK_BYTES // (4 * numbers))


def draw_weights(
    plan: ImagePlan, generators: Sequence[torch.Generator], gain: float
) -> list[torch.Tensor]:
    """Draw orthogonal weights (Saxe et al. 2014, arXiv:1312.6120) and biases of 0.

    Each kernel is a row of an orthogonal matrix; layers are drawn in their order, so that a
    member's numbers don't depend on the others.

    Args:
        plan: The layers.
        generators: One per member.
        gain: Gain of the weights.

    Returns:
        ``[P, out, in, kernel, kernel]`` and ``[P, out]`` of each convolution, then, if there is
        a layer behind, ``[P, flat, features]`` and ``[P, 1, features]``.
    """
    population, before = len(generators), plan.channels
    found: list[torch.Tensor] = []
    for after, kernel, _ in plan.layers:
        shape = (after, before, kernel, kernel)
        drawn = [
            nn.init.orthogonal_(torch.empty(shape), gain, generator=generator)
            for generator in generators
        ]
        found += [torch.stack(drawn), torch.zeros(population, after)]
        before = after
    return found
