"""From observations to what a network takes in."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces

from coterie import ConfigError
from coterie.spaces import build_tree, flat_size, flatten, leaf_of, space_leaves, tree_map

from .._preprocessors.scaler import RunningStandardScaler


class NetworkInput:
    """Turns stored observations into a network's inputs.

    Built-in networks get one vector of features; a user's module gets the observation as the
    environment gives it.

    Args:
        space: Space of one instance's observation.
        population: Number of members, P.
        flat: Whether to flatten it to features.
        normalize: Whether to scale by running statistics.
        dtype: Type of features.
        device: Where everything lives.

    Raises:
        ConfigError: Scaling was asked for something that is no single Box.
    """

    def __init__(
        self,
        space: spaces.Space[Any],
        population: int,
        *,
        flat: bool,
        normalize: bool,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.space, self.population, self.flat, self.dtype = space, population, flat, dtype
        self.leaves = space_leaves(space)
        self.features = flat_size(space) if flat else 0
        self.scaler: RunningStandardScaler | None = None
        if normalize:
            if not flat and not isinstance(space, spaces.Box):
                raise ConfigError(
                    f"observation_normalization with your own models needs a Box, got {space}; "
                    "scale inside the module instead"
                )
            shape = (self.features,) if flat else tuple(space.shape or ())
            self.scaler = RunningStandardScaler(population, shape, dtype=dtype, device=device)

    def arrange(self, leaves: list[torch.Tensor]) -> Any:
        """Build inputs from the tensors of a space, before scaling.

        Args:
            leaves: Tensors ``[P, B, *shape]``, in the order of :attr:`leaves`.

        Returns:
            Features ``[P, B, features]``, or a tree of ``[P, B, *shape]``.
        """
        by_path = {leaf.path: tensor for leaf, tensor in zip(self.leaves, leaves, strict=True)}
        tree = build_tree(self.space, by_path)
        if not self.flat:
            return tree_map(lambda t: t.to(self.dtype), tree) if self.scaler else tree
        batch = leaves[0].shape[:2]
        rows = tree_map(lambda t: t.reshape(-1, *t.shape[2:]), tree)
        return flatten(self.space, rows).to(self.dtype).reshape(*batch, self.features)

    def scale(self, inputs: Any) -> Any:
        """Scale inputs, if they are to be."""
        return inputs if self.scaler is None else self.scaler.scale(inputs)

    def from_step(self, tree: Any) -> Any:
        """Build scaled inputs from one step's observations, tensors ``[P * N, ...]``."""
        if self.flat:
            features = flatten(self.space, tree).to(self.dtype)
            return self.scale(features.view(self.population, -1, self.features))
        leaves = [
            leaf_of(tree, leaf.path).reshape(self.population, -1, *leaf.shape)
            for leaf in self.leaves
        ]
        return self.scale(self.arrange(leaves))

    def leaves_of(self, tree: Any) -> list[torch.Tensor]:
        """List a tree's tensors in the order of :attr:`leaves`."""
        return [leaf_of(tree, leaf.path) for leaf in self.leaves]

    def example(self, device: torch.device) -> Any:
        """Make two observations of zeros (of the smallest value, for choices)."""
        made = {
            leaf.path: torch.zeros((2, *leaf.shape), dtype=leaf.dtype, device=device)
            for leaf in self.leaves
        }
        tree = build_tree(self.space, made)
        return tree_map(lambda t: t.to(self.dtype), tree) if self.scaler else tree
