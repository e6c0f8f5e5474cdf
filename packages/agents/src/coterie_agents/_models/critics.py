"""Action-value networks of a stack of members: Q(s, a)."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from .cfg import Activation
from .flat import FlatParameters
from .initialise import VALUE_GAIN, init_generator
from .mlp import StackedMLP


class StackedCritics:
    """``K`` critics for each of ``P`` members, evaluated in one batched product per layer.

    Row ``p * K + k`` of the stack is critic ``k`` of member ``p``. Initial weights are drawn
    from the member's seed and the critic's number alone.

    Args:
        features: Numbers in one observation.
        action_size: Numbers in one action.
        hidden_sizes: Units of the hidden layers.
        activation: What follows each hidden layer.
        seeds: Seed of each member.
        count: Critics per member, K.
        dtype: Type of the weights.
        device: Where they live.
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
    ) -> None:
        self.population, self.count = len(seeds), count
        generators = [init_generator(s, f"critic_{k}") for s in seeds for k in range(count)]
        sizes = (features + action_size, *hidden_sizes, 1)
        self.network = StackedMLP(
            sizes, activation, generators, VALUE_GAIN, dtype=dtype, device=device
        )
        self.flat = FlatParameters(self.network, self.population)

    def values(self, inputs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Value actions.

        Args:
            inputs: Observations ``[P, B, features]``.
            actions: Actions ``[P, B, action_size]``.

        Returns:
            ``[P, K, B]``.
        """
        values: torch.Tensor = self.network(self.rows(inputs, actions))
        return values.view(self.population, self.count, -1)

    def rows(self, inputs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Lay out what every critic takes in: ``[P * K, B, features + action_size]``."""
        joined = torch.cat([inputs, actions], dim=-1)
        if self.count == 1:
            return joined
        spread = joined.unsqueeze(1).expand(-1, self.count, -1, -1)
        return spread.reshape(self.population * self.count, *joined.shape[1:])

    def first_values(self, inputs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Let each member's first critic value actions: ``[P, B]``, arguments as above.

        Gradients flow to the inputs and actions, not to the critics.
        """
        joined = torch.cat([inputs, actions], dim=-1)
        values: torch.Tensor = self.flat.first(joined)
        return values.squeeze(-1)

    def copy(self) -> StackedCritics:
        """Return critics with the same numbers, which nobody wants gradients of."""
        copied = copy.copy(self)
        copied.flat = self.flat.copy()
        copied.network = copied.flat.network
        return copied
