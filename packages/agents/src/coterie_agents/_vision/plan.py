"""From an observation's image to the layers that read it."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from gymnasium import spaces

from coterie import ConfigError

from .._models.cfg import Activation, CnnCfg

NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Channels, kernel and stride of each layer (Mnih et al. 2015, doi:10.1038/nature14236)."""

SMALL = ((16, 3, 1), (32, 3, 1))

_FEATURES = {NATURE: 512, SMALL: 128}
_OWN_FEATURES = 512

Layers = tuple[tuple[int, int, int], ...]


@frozen(kw_only=True)
class ImagePlan:
    """How one image is read.

    Attributes:
        label: Path of the image in the observation, for messages; empty for the whole of it.
        shape: As the environment gives it.
        channels_first: Whether channels come before the two sides.
        channels: Channels, those of all frames together.
        height: Pixels.
        width: Pixels.
        is_bytes: Whether it is uint8, which is scaled by 1/255.
        layers: Channels, kernel and stride of each layer.
        features: Units of the layer behind the convolutions; 0: there is none.
        activation: What follows each of them.
    """

    label: str
    shape: tuple[int, ...]
    channels_first: bool
    channels: int
    height: int
    width: int
    is_bytes: bool
    layers: Layers
    features: int
    activation: Activation

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the image and behind each layer."""
        found = [(self.height, self.width)]
        for _, kernel, stride in self.layers:
            height, width = found[-1]
            found.append(((height - kernel) // stride + 1, (width - kernel) // stride + 1))
        return tuple(found)

    @property
    def flat(self) -> int:
        """Numbers that the last convolution gives."""
        height, width = self.sides[-1]
        return self.layers[-1][0] * height * width

    @property
    def outputs(self) -> int:
        """Numbers that come out."""
        return self.features or self.flat

    @property
    def work(self) -> int:
        """Multiplications of the convolutions for one image."""
        total, before = 0, self.channels
        for (after, kernel, _), (height, width) in zip(self.layers, self.sides[1:], strict=True):
            total += after * before * kernel * kernel * height * width
            before = after
        return total


def smallest_side(layers: Layers) -> int:
    """Pixels that the smaller side of an image needs for these layers."""
    side = 1
    for _, kernel, stride in reversed(layers):
        side = (side - 1) * stride + kernel
    return side


def looks_like_image(space: spaces.Space[Any], cfg: CnnCfg | None = None) -> bool:
    """Whether a part of an observation is an image, by its type and shape.

    Args:
        space: The part's space.
        cfg: Settings; ``None``: the default ones.
    """
    images = "auto" if cfg is None else cfg.images
    if images == "none" or not isinstance(space, spaces.Box) or len(space.shape) not in (3, 4):
        return False
    return images == "all" or space.dtype in (np.dtype(np.uint8), np.dtype(np.bool_))


def plan_image(space: spaces.Space[Any], cfg: CnnCfg, label: str = "") -> ImagePlan | None:
    """Decide how a part of an observation is read.

    Args:
        space: The part's space.
        cfg: Settings.
        label: Its path in the observation.

    Returns:
        ``None``: it is no image, or, where that is left to the program, too small for one.

    Raises:
        ConfigError: The image is too small for the kernels.
    """
    if not looks_like_image(space, cfg):
        return None
    shape = tuple(space.shape or ())
    first = _channels_first(shape[-3:], cfg)
    frames = shape[0] if len(shape) == 4 else 1
    channels, height, width = shape[-3:] if first else (shape[-1], *shape[-3:-1])
    layers = _layers(cfg, min(height, width))
    if layers is None:
        return None
    features = cfg.features
    if features is None:
        features = _FEATURES.get(layers, _OWN_FEATURES) if cfg.channels is None else _OWN_FEATURES
    plan = ImagePlan(
        label=label,
        shape=shape,
        channels_first=first,
        channels=frames * channels,
        height=height,
        width=width,
        is_bytes=space.dtype == np.uint8,
        layers=layers,
        features=features,
        activation=cfg.activation,
    )
    _check_size(plan)
    return plan


def _channels_first(shape: tuple[int, ...], cfg: CnnCfg) -> bool:
    if cfg.layout != "auto":
        return cfg.layout == "channels_first"
    one, two, three = shape
    if (one == two) != (two == three):
        return two == three
    return one < three


def _layers(cfg: CnnCfg, side: int) -> Layers | None:
    """Return the layers for images whose smaller side is so long; ``None``: flatten them."""
    if cfg.channels is not None and cfg.kernels is not None:
        strides = cfg.strides or (1,) * len(cfg.channels)
        return tuple(zip(cfg.channels, cfg.kernels, strides, strict=True))
    if cfg.architecture == "nature" or (
        cfg.architecture == "auto" and side >= smallest_side(NATURE)
    ):
        return NATURE
    left_open = cfg.architecture == "auto" and cfg.images == "auto"
    return None if left_open and side < smallest_side(SMALL) else SMALL


def _check_size(plan: ImagePlan) -> None:
    needed = smallest_side(plan.layers)
    if min(plan.height, plan.width) >= needed:
        return
    what = f"the image {plan.label!r}" if plan.label else "the image"
    kernels = ", ".join(f"{kernel} with stride {stride}" for _, kernel, stride in plan.layers)
    order = "channels first" if plan.channels_first else "channels last"
    raise ConfigError(
        f"{what} of shape {plan.shape} ({order}, so {plan.height} x {plan.width} pixels) is too "
        f"small for kernels of {kernels}: they need at least {needed} x {needed} pixels; take "
        f"architecture = 'small' (from {smallest_side(SMALL)} x {smallest_side(SMALL)} on) or "
        "smaller kernels and strides in model.cnn, say layout = 'channels_first' or "
        "'channels_last' there if the sides are not what you meant, or images = 'none', which "
        "flattens"
    )
