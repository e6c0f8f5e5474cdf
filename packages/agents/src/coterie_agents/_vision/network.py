"""Networks of a stack of members that see images, vectors or both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from .._models.cfg import Activation
from .._models.initialise import HIDDEN_GAIN, orthogonal
from .convolve import ACTIVATIONS, chunk_rows, convolve, draw_weights, planes
from .plan import ImagePlan

VisionInputs = tuple[torch.Tensor, ...]
"""Features ``[P, B, features]`` (maybe none: 0 of them), then each image ``[P, B, *shape]``."""


class StackedEncoder(nn.Module):
    """``P`` encoders of one architecture: each image to numbers, with the features beside them.

    Args:
        plans: How each image is read.
        features: Numbers of an observation that are not part of images.
        generators: One per member, which its initial weights are drawn from.
        dtype: Type of the weights.
        device: Where they live.

    Attributes:
        outputs: Numbers that come out.
    """

    backward_by_hand = False

    def __init__(
        self,
        plans: Sequence[ImagePlan],
        features: int,
        generators: Sequence[torch.Generator],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.plans = tuple(plans)
        self.outputs = features + sum(plan.outputs for plan in plans)
        self.dtype, self.device = dtype, torch.device(device)
        for number, plan in enumerate(self.plans):
            drawn = draw_weights(plan, generators, HIDDEN_GAIN)
            names = [f"image_{number}_{w}_{i}" for i, _ in enumerate(plan.layers) for w in _KINDS]
            for name, tensor in zip(names, drawn, strict=True):
                self._keep(name, tensor)
            if plan.features:
                prefix = f"image_{number}_"
                self._linear(prefix, "features", plan.flat, plan.features, HIDDEN_GAIN, generators)

    def _keep(self, name: str, tensor: torch.Tensor) -> None:
        self.register_parameter(name, nn.Parameter(tensor.to(self.device, self.dtype)))

    def _linear(
        self,
        prefix: str,
        name: str | int,
        inputs: int,
        outputs: int,
        gain: float,
        generators: Sequence[torch.Generator],
    ) -> None:
        drawn = torch.stack([orthogonal(inputs, outputs, gain, g) for g in generators])
        self._keep(f"{prefix}weight_{name}", drawn)
        self._keep(f"{prefix}bias_{name}", torch.zeros(len(generators), 1, outputs))

    def forward(self, inputs: VisionInputs) -> torch.Tensor:
        """Map ``[P, B, ...]`` to ``[P, B, outputs]``."""
        images = inputs[1:]
        rows = min(chunk_rows(plan) for plan in self.plans)
        if torch.is_grad_enabled() or images[0].device.type != "cpu" or images[0].shape[1] <= rows:
            return self._encode(inputs)
        parts = zip(*(torch.split(tensor, rows, dim=1) for tensor in inputs), strict=True)
        return torch.cat([self._encode(part) for part in parts], dim=1)

    def _encode(self, inputs: VisionInputs) -> torch.Tensor:
        images = zip(self.plans, inputs[1:], strict=True)
        found = [self._read(number, plan, image) for number, (plan, image) in enumerate(images)]
        return torch.cat([inputs[0].to(found[0].dtype), *found], dim=-1)

    def _read(self, number: int, plan: ImagePlan, image: torch.Tensor) -> torch.Tensor:
        def layers(kind: str) -> list[Any]:
            count = len(plan.layers)
            return [self._parameters[f"image_{number}_{kind}_{i}"] for i in range(count)]

        x = planes(image, plan, self.dtype)
        x = convolve(x, plan, layers("weight"), layers("bias"))
        if not plan.features:
            return x
        weight: Any = self._parameters[f"image_{number}_weight_features"]
        bias: Any = self._parameters[f"image_{number}_bias_features"]
        return ACTIVATIONS[plan.activation](torch.baddbmm(bias, x, weight))


_KINDS = ("weight", "bias")


class StackedVision(StackedEncoder):
    """``P`` networks of one architecture: an encoder, then the layers of a perceptron.

    Args:
        plans: How each image is read.
        features: Numbers of an observation that are not part of images.
        sizes: Units of each layer behind the encoder, and outputs.
        activation: What follows each of these layers but the last.
        generators: One per member, which its initial weights are drawn from.
        head_gain: Gain of the last layer's orthogonal weights; the others have sqrt(2).
        dtype: Type of the weights.
        device: Where they live.
    """

    def __init__(
        self,
        plans: Sequence[ImagePlan],
        features: int,
        sizes: Sequence[int],
        activation: Activation,
        generators: Sequence[torch.Generator],
        head_gain: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(plans, features, generators, dtype=dtype, device=device)
        self.activation, self.layers = activation, len(sizes)
        for i, (inputs, outputs) in enumerate(pairwise((self.outputs, *sizes))):
            gain = head_gain if i == self.layers - 1 else HIDDEN_GAIN
            self._linear("", i, inputs, outputs, gain, generators)

    def forward(self, inputs: VisionInputs) -> torch.Tensor:
        """Map ``[P, B, ...]`` to ``[P, B, sizes[-1]]``."""
        x = super().forward(inputs)
        activate = ACTIVATIONS[self.activation]
        for i in range(self.layers):
            weight: Any = self._parameters[f"weight_{i}"]
            bias: Any = self._parameters[f"bias_{i}"]
            x = torch.baddbmm(bias, x, weight)
            x = activate(x) if i < self.layers - 1 else x
        return x
