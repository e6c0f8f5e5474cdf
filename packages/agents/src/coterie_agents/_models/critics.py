"""Action-value networks of a stack of members: Q(s, a)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from coterie.spaces import tree_map

from .._precision.autocast import FULL, Precision
from .._vision.network import StackedVision
from .._vision.plan import ImagePlan
from .cfg import Activation
from .flat import FlatParameters
from .initialise import VALUE_GAIN, init_generator
from .mlp import StackedMLP


class StackedCritics:
    """``K`` critics for each of ``P`` members, evaluated in one batched product per layer.

    Row ``p * K + k`` of the stack is critic ``k`` of member ``p``. Initial weights are drawn
    from the member's seed and the critic's number alone.

    Args:
        features: Numbers in one observation, but for those of images.
        action_size: Numbers in one action.
        hidden_sizes: Units of the hidden layers.
        activation: What follows each hidden layer.
        seeds: Seed of each member.
        count: Critics per member, K.
        dtype: Type of the weights.
        device: Where they live.
        images: How each image of an observation is read, by convolutions of each critic's own.
        precision: How the networks are run.
    """

    def __init__(
        self,
        features: int,
        action_size: int,
        hidden_sizes: Sequence[int],
        activation: Activation,
        seeds: Sequence[int],
        count: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        images: Sequence[ImagePlan] = (),
        precision: Precision = FULL,
    ) -> None:
        self.population, self.count = len(seeds), count
        generators = [init_generator(s, f"critic_{k}") for s in seeds for k in range(count)]
        rest = activation, generators, VALUE_GAIN
        place: dict[str, Any] = {"dtype": dtype, "device": device}
        self.network: StackedMLP | StackedVision
        if images:
            sizes = (*hidden_sizes, 1)
            self.network = StackedVision(images, features + action_size, sizes, *rest, **place)
        else:
            sizes = (features + action_size, *hidden_sizes, 1)
            self.network = StackedMLP(sizes, *rest, **place)
        self.flat = FlatParameters(self.network, self.population, precision)

    def values(self, inputs: Any, actions: torch.Tensor) -> torch.Tensor:
        """Value actions.

        Args:
            inputs: Observations ``[P, B, features]``, in a tuple with images where there are any.
            actions: Actions ``[P, B, action_size]``.

        Returns:
            ``[P, K, B]``.
        """
        values = self.flat.run(self.rows(inputs, actions))
        return values.view(self.population, self.count, -1)

    def rows(self, inputs: Any, actions: torch.Tensor) -> Any:
        """Lay out what every critic takes in: ``[P * K, B, features + action_size]``."""
        joined = join(inputs, actions)
        return joined if self.count == 1 else tree_map(self._spread, joined)

    def _spread(self, tensor: torch.Tensor) -> torch.Tensor:
        spread = tensor.unsqueeze(1).expand(-1, self.count, *tensor.shape[1:])
        return spread.reshape(self.population * self.count, *tensor.shape[1:])

    def first_values(self, inputs: Any, actions: torch.Tensor) -> torch.Tensor:
        """Let each member's first critic value actions: ``[P, B]``, arguments as above.

        Gradients flow to the inputs and actions, not to the critics.
        """
        return self.flat.run_first(join(inputs, actions)).squeeze(-1)

    def copy(self) -> StackedCritics:
        """Return critics with the same numbers, which nobody wants gradients of."""
        copied = copy.copy(self)
        copied.flat = self.flat.copy()
        copied.network = copied.flat.network
        return copied


def join(inputs: Any, actions: torch.Tensor) -> Any:
    """Lay actions ``[P, B, action_size]`` beside the features of observations."""
    if isinstance(inputs, torch.Tensor):
        return torch.cat([inputs, actions], dim=-1)
    return (torch.cat([inputs[0], actions], dim=-1), *inputs[1:])
