"""Built-in networks for what an observation holds."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .._vision.network import StackedVision
from .cfg import Activation
from .inputs import NetworkInput
from .mlp import StackedMLP


def build_network(
    place: NetworkInput,
    sizes: Sequence[int],
    activation: Activation,
    generators: Sequence[torch.Generator],
    head_gain: float,
    *,
    dtype: torch.dtype,
    device: torch.device | str,
) -> StackedMLP | StackedVision:
    """Make stacked networks: perceptrons, with convolutions before them where there are images.

    Args:
        place: What they take in.
        sizes: Units of the hidden layers, and outputs.
        activation: What follows each hidden layer.
        generators: One per member, which its initial weights are drawn from.
        head_gain: Gain of the last layer's orthogonal weights.
        dtype: Type of the weights.
        device: Where they live.
    """
    kind = {"dtype": dtype, "device": device}
    rest = activation, generators, head_gain
    if place.images:
        return StackedVision(place.images, place.features, sizes, *rest, **kind)  # type: ignore[arg-type]
    return StackedMLP((place.features, *sizes), *rest, **kind)  # type: ignore[arg-type]
