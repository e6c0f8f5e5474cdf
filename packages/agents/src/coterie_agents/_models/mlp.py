"""Multi-layer perceptrons of a stack of members, as batched matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from .cfg import Activation
from .initialise import HIDDEN_GAIN, orthogonal
from .workspace import Workspace

_MINUS_ONE = torch.tensor(-1.0)


class StackedMLP(nn.Module):
    """``P`` perceptrons of one architecture; member ``p`` has the weights ``weight_i[p]``.

    Args:
        sizes: Inputs, units of each hidden layer, outputs.
        activation: What follows each hidden layer.
        generators: One per member, which its initial weights are drawn from.
        head_gain: Gain of the last layer's orthogonal weights; the others have sqrt(2).
        dtype: Type of the weights.
        device: Where they live.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Activation,
        generators: Sequence[torch.Generator],
        head_gain: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.activation = activation
        self.layers = len(sizes) - 1
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            gain = head_gain if i == self.layers - 1 else HIDDEN_GAIN
            drawn = torch.stack([orthogonal(inputs, outputs, gain, g) for g in generators])
            weight = drawn.to(device=device, dtype=dtype)
            bias = torch.zeros(len(generators), 1, outputs, dtype=dtype, device=device)
            self.register_parameter(f"weight_{i}", nn.Parameter(weight))
            self.register_parameter(f"bias_{i}", nn.Parameter(bias))

    @property
    def backward_by_hand(self) -> bool:
        """Whether :meth:`pull` knows the activation."""
        return self.activation in _SLOPES

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map ``[P, B, inputs]`` to ``[P, B, outputs]``."""
        if torch.is_grad_enabled():
            return self._recorded(inputs)
        if inputs.shape[1] <= _ROWS or inputs.device.type != "cpu":
            return self.trace(inputs)[-1]
        parts = inputs.chunk(-(-inputs.shape[1] // _ROWS), dim=1)
        return torch.cat([self.trace(part)[-1] for part in parts], dim=1)

    def trace(
        self, inputs: torch.Tensor, space: Workspace | None = None, name: str = ""
    ) -> list[torch.Tensor]:
        """Map ``[P, B, inputs]`` to what goes into each layer and, last, the outputs.

        For callers that have switched autograd off, like :meth:`pull`.

        Args:
            inputs: What goes into the first layer.
            space: Where the layers' results are put; ``None``: into new memory.
            name: Under this name.
        """
        # Not self.parameters(): that walks over the modules, at the price of a layer.
        parameters: list[Any] = list(self._parameters.values())
        return _run(inputs, self.activation, parameters, space, name)

    def pull(
        self, trace: list[torch.Tensor], gradient: torch.Tensor, space: Workspace | None = None
    ) -> list[torch.Tensor]:
        """Pull a gradient of the outputs back to the parameters.

        The backward pass by hand: autograd gives the same (see the tests) at the price of a
        node, saved tensors and a call for every operation.

        Args:
            trace: What :meth:`trace` returned.
            gradient: ``[P, B, outputs]``.
            space: Where the layers' gradients are put; ``None``: into new memory.

        Returns:
            Gradients in the order of the parameters.
        """
        weights: list[Any] = list(self._parameters.values())[::2]
        slope = _SLOPES[self.activation]
        found: list[torch.Tensor] = []
        for i in reversed(range(self.layers)):
            found.append(gradient.sum(1, keepdim=True))
            found.append(_weight_gradient(trace[i], gradient))
            if i:
                inner = _input_gradient(gradient, weights[i], space, f"gradient {i % 2}")
                gradient = slope(inner, trace[i])
        return found[::-1]

    def pull_inputs(self, trace: list[torch.Tensor], gradient: torch.Tensor) -> torch.Tensor:
        """Pull a gradient of the outputs back to the inputs.

        Args:
            trace: What :meth:`trace` returned.
            gradient: ``[P, B, outputs]``.

        Returns:
            ``[P, B, inputs]``.
        """
        weights: list[Any] = list(self._parameters.values())[::2]
        slope = _SLOPES[self.activation]
        for i in reversed(range(1, self.layers)):
            gradient = slope(_input_gradient(gradient, weights[i]), trace[i])
        return _input_gradient(gradient, weights[0])

    def _recorded(self, x: torch.Tensor) -> torch.Tensor:
        """Run with every operation recorded by autograd."""
        parameters: list[Any] = list(self._parameters.values())
        last = len(parameters) - 2
        for i in range(0, last, 2):
            x = _activate(torch.baddbmm(parameters[i + 1], x, parameters[i]), self.activation)
        return torch.baddbmm(parameters[last + 1], x, parameters[last])


def _tanh(scaled: torch.Tensor) -> torch.Tensor:
    """Turn ``2 x`` into ``tanh(x) = 2 sigmoid(2 x) - 1``, in place.

    On the CPU torch.tanh takes several times as long as torch.sigmoid. The error is about 1e-7
    in float32, which is less than that of the matrix product before.
    """
    scaled.sigmoid_()
    return torch.add(_MINUS_ONE, scaled, alpha=2, out=scaled)


def _activate(x: torch.Tensor, activation: str) -> torch.Tensor:
    if activation == "tanh":
        return x.tanh_()
    if activation == "relu":
        return x.relu_()
    if activation == "elu":
        return nn.functional.elu_(x)
    return nn.functional.silu(x, inplace=True)


def _tanh_slope(gradient: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.tanh_backward.grad_input(gradient, y, grad_input=gradient)  # type: ignore[no-any-return]


def _relu_slope(gradient: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.threshold_backward.grad_input(gradient, y, 0, grad_input=gradient)  # type: ignore[no-any-return]


def _elu_slope(gradient: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.ops.aten.elu_backward.grad_input
    return out(gradient, 1.0, 1.0, 1.0, True, y, grad_input=gradient)  # type: ignore[no-any-return]


_SLOPES = {"tanh": _tanh_slope, "relu": _relu_slope, "elu": _elu_slope}
"""Gradients of activations whose slope follows from their result alone, in place."""


def _run(
    x: torch.Tensor,
    activation: str,
    parameters: Sequence[torch.Tensor],
    space: Workspace | None,
    name: str,
) -> list[torch.Tensor]:
    """Return what goes into each layer, then the outputs."""
    seen = [x]
    cheap = activation == "tanh" and x.device.type == "cpu"
    last = len(parameters) - 2
    for i in range(0, last, 2):
        weight, bias = parameters[i], parameters[i + 1]
        shape = (x.shape[0], x.shape[1], weight.shape[2])
        out = None if space is None else space.take(f"{name} {i}", shape, x)
        if cheap:
            x = _tanh(torch.baddbmm(bias, x, weight, beta=2, alpha=2, out=out))
        else:
            x = _activate(torch.baddbmm(bias, x, weight, out=out), activation)
        seen.append(x)
    seen.append(_last_layer(x, parameters[last], parameters[last + 1], space))
    return seen


_ROWS = 512
"""Rows that go through all layers together on the CPU: more of them need memory, not less time."""

_NARROW = 16
"""Below so many columns MKL's matrix product takes longer than that of the transposed matrices:
44 against 22 microseconds for ``[512, 64] x [64, 2]``, 46 against 10 in the backward pass."""


def _is_narrow(columns: int) -> bool:
    return 1 < columns < _NARROW


def _last_layer(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, space: Workspace | None = None
) -> torch.Tensor:
    if weight.shape[2] == 1 and len(weight) > 1:
        # A batch of products with one column takes MKL six times as long: 196 against 33
        # microseconds for two of ``[256, 256] x [256, 1]``.
        out = None if space is None else space.take("products", tuple(x.shape), x)
        return torch.mul(x, weight.transpose(1, 2), out=out).sum(-1, keepdim=True).add_(bias)
    if not _is_narrow(weight.shape[2]) or x.shape[1] < 4 * _NARROW:
        return torch.baddbmm(bias, x, weight)
    product = torch.bmm(weight.transpose(1, 2), x.transpose(1, 2))
    return torch.add(product.transpose(1, 2), bias).contiguous()


def _weight_gradient(x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    column = gradient.shape[2] == 1 and len(gradient) > 1
    if not column and not _is_narrow(gradient.shape[2]):
        return torch.bmm(x.transpose(1, 2), gradient)
    return torch.bmm(gradient.transpose(1, 2), x).transpose(1, 2)


def _input_gradient(
    gradient: torch.Tensor, weight: torch.Tensor, space: Workspace | None = None, name: str = ""
) -> torch.Tensor:
    shape = (gradient.shape[0], gradient.shape[1], weight.shape[1])
    out = None if space is None else space.take(name, shape, gradient)
    if weight.shape[2] == 1:
        return torch.mul(gradient, weight.transpose(1, 2), out=out)
    return torch.bmm(gradient, weight.transpose(1, 2), out=out)
