"""From what an environment renders to one frame of a film."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .._errors import ConfigError
from .tiling import tile_frames

_MOST_PIXELS = 1280 * 960
_MOST_TILES = 16
_MOST_OF_ONE = 4


def shown(scopes: Mapping[str, range]) -> dict[str, range]:
    """Choose the instances that a film shows: the first few of each scope.

    Args:
        scopes: Instances of each member, by its name.

    Returns:
        The first instances of each, up to four, 16 in all; one of each where there are more.
    """
    share = max(1, min(_MOST_OF_ONE, _MOST_TILES // max(1, len(scopes))))
    return {name: scope[:share] for name, scope in scopes.items()}


def compose(picture: Any, captions: Mapping[str, range]) -> npt.NDArray[np.uint8]:
    """Make one frame of what an environment rendered.

    Args:
        picture: One picture, ``[H, W, 3]``, which is taken as it is; or one per instance,
            ``[N, H, W, 3]`` or a list, of which those of the captions are tiled, made smaller
            if they are many.
        captions: Instances to show, by the name above them.

    Returns:
        uint8 ``[H, W, 3]`` with even height and width.

    Raises:
        ConfigError: It is no picture.
    """
    array = _array(picture)
    if array.ndim == 4:
        rows = [(row, name) for name, scope in captions.items() for row in scope]
        rows = [(row, name) for row, name in rows if row < len(array)]
        small = shrink(array[[row for row, _ in rows]])
        array = tile_frames(small, [name for _, name in rows])
    height, width, _ = array.shape
    return np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)), constant_values=255)


def shrink(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Make pictures smaller by a whole number, so that they make no huge frame together.

    Args:
        pictures: uint8 ``[M, H, W, 3]``.

    Returns:
        uint8 ``[M, H // k, W // k, 3]``: means over squares of ``k`` pixels.
    """
    count, height, width, _ = pictures.shape
    factor = math.ceil(math.sqrt(max(1.0, count * height * width / _MOST_PIXELS)))
    if factor == 1:
        return pictures
    high, wide = max(1, height // factor), max(1, width // factor)
    cut = pictures[:, : high * factor, : wide * factor]
    squares = cut.reshape(count, high, min(factor, height), wide, min(factor, width), 3)
    means: npt.NDArray[np.uint8] = squares.mean((2, 4)).round().astype(np.uint8)
    return means


def _array(picture: Any) -> npt.NDArray[np.uint8]:
    if picture is None:
        raise ConfigError(
            "the environment gives no pictures to make a video of: it has no render_mode "
            "'rgb_array', or shows itself in a window"
        )
    if isinstance(picture, list | tuple):
        picture = [one.cpu() if hasattr(one, "cpu") else one for one in picture]
    try:
        array = np.asarray(picture.cpu() if hasattr(picture, "cpu") else picture)
    except ValueError:
        array = np.zeros(0)
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or array.shape[-1] != 3:
        raise ConfigError(
            f"the environment's pictures are {array.dtype} {list(array.shape)}; a video is made "
            "of uint8 [height, width, 3], or one such picture per instance"
        )
    return array
