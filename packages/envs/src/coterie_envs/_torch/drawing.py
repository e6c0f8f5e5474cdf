"""Pictures of instances, painted with tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

Coordinate = float | torch.Tensor
Point = tuple[Coordinate, Coordinate]
View = tuple[float, float, float, float]

BACKGROUND = (250, 250, 248)


class Capsule(NamedTuple):
    """A line with round ends, the one thing that pictures are made of; a disc if it has no length.

    Attributes:
        start: Where it starts, x to the right and y up; either a number or a tensor ``[M]`` with
            one per instance.
        end: Where it ends.
        radius: Half its width, in the same units.
        colour: Red, green and blue from 0 to 255.
    """

    start: Point
    end: Point
    radius: float
    colour: tuple[int, int, int]


def paint(
    shapes: Sequence[Capsule], view: View, count: int, height: int, device: torch.device
) -> torch.Tensor:
    """Paint shapes over each other, with smooth edges.

    Args:
        shapes: What to paint, the lowest first.
        view: Left, bottom, right and top of what is seen.
        count: Number of pictures ``M``.
        height: Height of a picture in pixels; its width follows from the view.
        device: Where to paint.

    Returns:
        Pictures, uint8 ``[M, height, width, 3]``.
    """
    left, bottom, right, top = view
    pixel = (top - bottom) / height
    width = max(1, round((right - left) / pixel))
    x = left + (torch.arange(width, device=device) + 0.5) * pixel
    y = (top - (torch.arange(height, device=device) + 0.5) * pixel)[:, None]
    picture = torch.tensor(BACKGROUND, dtype=torch.float32, device=device)
    picture = picture.repeat(count, height, width, 1)
    for shape in shapes:
        share = (shape.radius - _distance(shape, x, y)).div_(pixel).add_(0.5).clamp_(0, 1)
        colour = torch.tensor(shape.colour, dtype=torch.float32, device=device)
        picture += share[..., None] * (colour - picture)
    return picture.round_().to(torch.uint8)


def _distance(shape: Capsule, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Distances of pixels from the middle line of a shape: ``[M or 1, height, width]``."""
    (ax, ay), (bx, by) = (tuple(_column(c, x) for c in point) for point in shape[:2])
    along, up = bx - ax, by - ay
    length = (along * along + up * up).clamp(min=1e-12)
    part = (((x - ax) * along + (y - ay) * up) / length).clamp_(0, 1)
    return torch.hypot(x - ax - part * along, y - ay - part * up)


def _column(coordinate: Coordinate, like: torch.Tensor) -> torch.Tensor:
    """A coordinate as float32 ``[M or 1, 1, 1]``."""
    return torch.as_tensor(coordinate, device=like.device).to(like.dtype).reshape(-1, 1, 1)
