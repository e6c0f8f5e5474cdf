"""Many pictures in one, with captions."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .font import HEIGHT, written

GAP = 2  # pixels between two pictures
INK, PAPER = 30, 225
_LEADING = 2  # pixels between two lines, at scale 1
_MOST_LINES = 3


def tile_frames(
    frames: Any,
    captions: Sequence[str] | None = None,
    *,
    columns: int | None = None,
) -> npt.NDArray[np.uint8]:
    """Put the pictures of some instances side by side in one, row by row.

    Args:
        frames: uint8 ``[M, height, width, 3]``, a tensor or an array.
        captions: What to write above each picture, ``M`` texts in up to three lines, cut where
            they are longer: the names of the members, say. Letters are written as capitals.
            Pictures with the same caption get the same shade, neighbours with another one a
            different shade.
        columns: Pictures per row; ``None``: as many as make the whole about square, and as fill
            rows with those of the same caption, where each has as many.

    Returns:
        One picture, uint8 ``[H, W, 3]``.

    Raises:
        ValueError: Shapes, dtype or the number of captions do not fit.
    """
    pictures = np.asarray(frames.cpu() if hasattr(frames, "cpu") else frames)
    if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
        raise ValueError(
            f"frames: expected uint8 [M, height, width, 3], got {pictures.dtype} "
            f"{list(pictures.shape)}"
        )
    count, height, width, _ = pictures.shape
    if count == 0:
        raise ValueError("frames: expected at least one picture")
    if captions is not None:
        if len(captions) != count:
            raise ValueError(f"captions: expected {count}, one per picture, got {len(captions)}")
        pictures = np.concatenate((_captions(captions, width), pictures), axis=1)
        height = pictures.shape[1]
    across = min(count, columns or _columns(count, height / width, captions))
    down = math.ceil(count / across)
    whole = np.full(((height + GAP) * down - GAP, (width + GAP) * across - GAP, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (height + GAP) * (index // across), (width + GAP) * (index % across)
        whole[top : top + height, left : left + width] = picture
    return whole


def _columns(count: int, shape: float, captions: Sequence[str] | None) -> int:
    """Choose a number of columns.

    Args:
        count: Number of pictures.
        shape: Height of a picture by its width.
        captions: What stands above each.
    """
    square = math.ceil(math.sqrt(count * shape))
    sizes = {len(list(same)) for _, same in itertools.groupby(captions or ())}
    if len(sizes) != 1:
        return square
    (size,) = sizes
    return max(1, square // size) * size if size <= 2 * square else square


def _captions(texts: Sequence[str], width: int) -> npt.NDArray[np.uint8]:
    """Strips with the texts: uint8 ``[M, strip, width, 3]``."""
    scale = caption_scale(width)
    lines = [_lines(text, (width - 4) // (4 * scale)) for text in texts]
    line = (HEIGHT + _LEADING) * scale
    height = max(map(len, lines)) * line - _LEADING * scale + 4
    strips = np.full((len(texts), height, width, 3), PAPER, np.uint8)
    shade = PAPER
    for index, text in enumerate(texts):
        if index and text != texts[index - 1]:
            shade = 2 * PAPER - 25 - shade
        strips[index] = shade
        for number, part in enumerate(lines[index]):
            ink = written(part).repeat(scale, 0).repeat(scale, 1)[:, : max(0, width - 4)]
            top = 2 + number * line
            strips[index, top : top + len(ink), 2 : 2 + ink.shape[1]][ink] = INK
    return strips


def caption_scale(width: int) -> int:
    """Choose how many pixels of a picture of some width each pixel of a letter takes."""
    return 1 if width < 64 else max(2, min(4, width // 96))


def _lines(text: str, letters: int) -> list[str]:
    return textwrap.wrap(text, max(1, letters))[:_MOST_LINES] or [""]
