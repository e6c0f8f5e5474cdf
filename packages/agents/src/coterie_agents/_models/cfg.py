"""Settings of built-in networks. Free of torch."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from coterie import ConfigError
from coterie.config import at_least, between

Activation: TypeAlias = Literal["tanh", "relu", "elu", "silu"]


def _whole_numbers(values: Any) -> Any:
    return values if values is None else tuple(values)


@frozen(kw_only=True)
class CnnCfg:
    """How the built-in networks read images.

    Each image of an observation goes through convolutions of its own, then through one layer of
    ``features`` units; what comes out is put beside the other numbers of the observation, and
    the hidden layers follow. Images are Boxes of three dimensions, or of four, where the first
    one counts frames, which are laid side by side as channels.

    Attributes:
        images: Which Boxes are images. ``"auto"``: those of uint8 and of bool with three or four
            dimensions, from 5 x 5 pixels on; ``"all"``: every Box of so many dimensions;
            ``"none"``: nothing is, everything is flattened.
        layout: Where channels are. ``"auto"``: behind or before the two sides that are equal
            (84 x 84 x 4, 4 x 84 x 84); where all three or none of them are, at the smaller end,
            and the last where both ends are equal. ``"channels_last"`` and ``"channels_first"``
            say so.
        architecture: ``"nature"``: three layers (32, 64 and 64 channels, kernels 8, 4 and 3,
            strides 4, 2 and 1) and 512 features (Mnih et al. 2015, doi:10.1038/nature14236);
            ``"small"``: two layers (16 and 32 channels, kernels 3) and 128 features, for grid
            worlds; ``"auto"``: nature from 36 x 36 pixels on, else small.
        channels: Your own layers: the channels that each gives; ``None``: the architecture's.
        kernels: Side of each layer's kernels.
        strides: Stride of each layer; ``None``: all 1.
        features: Units of the layer behind the convolutions; 0: none; ``None``: the
            architecture's, 512 for your own layers.
        activation: What follows each convolution and the layer behind.

    Raises:
        ConfigError: ``channels``, ``kernels`` and ``strides`` don't belong together.
    """

    images: Literal["auto", "all", "none"] = "auto"
    layout: Literal["auto", "channels_last", "channels_first"] = "auto"
    architecture: Literal["auto", "nature", "small"] = "auto"
    channels: tuple[int, ...] | None = field(
        default=None, validator=at_least(1), converter=_whole_numbers
    )
    kernels: tuple[int, ...] | None = field(
        default=None, validator=at_least(1), converter=_whole_numbers
    )
    strides: tuple[int, ...] | None = field(
        default=None, validator=at_least(1), converter=_whole_numbers
    )
    features: int | None = field(default=None, validator=at_least(0))
    activation: Activation = "relu"

    def __attrs_post_init__(self) -> None:
        """Check what belongs together."""
        given = {
            name: value
            for name in ("channels", "kernels", "strides")
            if (value := getattr(self, name)) is not None
        }
        if not given:
            return
        if self.channels is None or self.kernels is None:
            raise ConfigError(
                f"got {', '.join(given)} alone: layers of your own need channels and kernels (and "
                "strides, where they are not 1)"
            )
        if not self.channels or len({len(value) for value in given.values()}) > 1:
            listed = ", ".join(f"{name} = {value}" for name, value in given.items())
            raise ConfigError(f"expected one number for each layer, at least one; got {listed}")
        if self.architecture != "auto":
            raise ConfigError(
                f"got architecture = {self.architecture!r} and layers of your own: give one of them"
            )


@frozen(kw_only=True)
class ModelCfg:
    """Sizes of a policy and a value network, two multi-layer perceptrons of their own.

    Attributes:
        hidden_sizes: Units of the policy's hidden layers; empty: a linear policy.
        value_hidden_sizes: Units of the value network's; ``None``: as the policy's.
        activation: What follows each hidden layer.
        initial_log_std: Logarithm of the standard deviation that a Gaussian policy starts with.
        cnn: How images are read, before the hidden layers.
        share_encoder: Whether policy and value network read images with one convolutional
            network, which both teach: about half the time, for images only.
    """

    hidden_sizes: tuple[int, ...] = field(default=(64, 64), validator=at_least(1), converter=tuple)
    value_hidden_sizes: tuple[int, ...] | None = field(default=None, validator=at_least(1))
    activation: Activation = "tanh"
    initial_log_std: float = field(default=0.0, validator=between(-20, 5))
    cnn: CnnCfg = field(factory=CnnCfg)
    share_encoder: bool = False
