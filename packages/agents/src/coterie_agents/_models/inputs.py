"""From observations to what a network takes in."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces

from coterie import ConfigError
from coterie.spaces import build_tree, flat_size, flatten, leaf_of, space_leaves, tree_map

from .._preprocessors.scaler import RunningStandardScaler
from .._vision.plan import ImagePlan, looks_like_image, plan_image
from .cfg import CnnCfg


class NetworkInput:
    """Turns stored observations into a network's inputs.

    Built-in networks get one vector of features, and a tuple of it and every image as it is
    stored where there are images; a user's module gets the observation as the environment
    gives it. Running statistics are of the features: images are left alone.

    Args:
        space: Space of one instance's observation.
        population: Number of members, P.
        flat: Whether to flatten it to features (and images).
        normalize: Whether to scale by running statistics.
        dtype: Type of features.
        device: Where everything lives.
        cnn: How images are found and read; ``None``: everything is flattened.

    Raises:
        ConfigError: Scaling was asked for something that is no single Box, or an image is too
            small for the kernels.

    Attributes:
        features: Numbers in the vector of features.
        images: How each image is read; empty where there are none, or for a user's module.
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
        cnn: CnnCfg | None = None,
    ) -> None:
        self.space, self.population, self.flat, self.dtype = space, population, flat, dtype
        self.leaves = space_leaves(space)
        self._parts = _parts_of(space)
        plans = [
            plan_image(part, cnn, leaf.label) if flat and cnn is not None else None
            for part, leaf in zip(self._parts, self.leaves, strict=True)
        ]
        self._is_image = [plan is not None for plan in plans]
        self.images: tuple[ImagePlan, ...] = tuple(plan for plan in plans if plan is not None)
        vectors = [part for part, plan in zip(self._parts, plans, strict=True) if plan is None]
        self.features = sum(flat_size(part) for part in vectors) if flat else 0
        self.scaler: RunningStandardScaler | None = None
        if normalize:
            self._normalize(dtype, device)

    def _normalize(self, dtype: torch.dtype, device: torch.device) -> None:
        if not self.flat and not isinstance(self.space, spaces.Box):
            raise ConfigError(
                f"observation_normalization with your own models needs a Box, got {self.space}; "
                "scale inside the module instead"
            )
        if (self.features == 0) if self.flat else looks_like_image(self.space):
            return
        shape = (self.features,) if self.flat else tuple(self.space.shape or ())
        self.scaler = RunningStandardScaler(self.population, shape, dtype=dtype, device=device)

    def arrange(self, leaves: list[torch.Tensor]) -> Any:
        """Build inputs from the tensors of a space, before scaling.

        Args:
            leaves: Tensors ``[P, B, *shape]``, in the order of :attr:`leaves`.

        Returns:
            Features ``[P, B, features]``, a tuple of them and images ``[P, B, *shape]``, or a
            tree of ``[P, B, *shape]``.
        """
        if self.images:
            return self._split(leaves)
        by_path = {leaf.path: tensor for leaf, tensor in zip(self.leaves, leaves, strict=True)}
        tree = build_tree(self.space, by_path)
        if not self.flat:
            return tree_map(lambda t: t.to(self.dtype), tree) if self.scaler else tree
        batch = leaves[0].shape[:2]
        rows = tree_map(lambda t: t.reshape(-1, *t.shape[2:]), tree)
        return flatten(self.space, rows).to(self.dtype).reshape(*batch, self.features)

    def _split(self, leaves: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Part images from what is flattened."""
        rows = leaves[0].shape[:2]
        images = [t for t, image in zip(leaves, self._is_image, strict=True) if image]
        vectors = [
            flatten(part, tensor.reshape(-1, *tensor.shape[2:]))
            for part, tensor, image in zip(self._parts, leaves, self._is_image, strict=True)
            if not image
        ]
        if not vectors:
            return (torch.zeros((*rows, 0), dtype=self.dtype, device=leaves[0].device), *images)
        features = torch.cat(vectors, dim=-1).to(self.dtype)
        return (features.reshape(*rows, self.features), *images)

    def scale(self, inputs: Any) -> Any:
        """Scale inputs, if they are to be; of images nothing is."""
        if self.scaler is None:
            return inputs
        if self.images:
            return (self.scaler.scale(inputs[0]), *inputs[1:])
        return self.scaler.scale(inputs)

    def take_statistics(
        self,
        inputs: Any,
        weights: torch.Tensor | None,
        members: torch.Tensor | None = None,
    ) -> None:
        """Merge unscaled inputs into the running statistics, if there are any.

        Args:
            inputs: What :meth:`arrange` returned.
            weights: 1 for samples that count and 0 for others, ``[P, B]``; ``None``: all count.
            members: bool ``[P]``: whose statistics change; ``None``: everyone's.
        """
        if self.scaler is not None:
            self.scaler.update(inputs[0] if self.images else inputs, weights, members)

    def from_step(self, tree: Any) -> Any:
        """Build scaled inputs from one step's observations, tensors ``[P * N, ...]``."""
        if self.flat and not self.images:
            return self.scale(self.features_of(tree))
        leaves = [
            leaf_of(tree, leaf.path).reshape(self.population, -1, *leaf.shape)
            for leaf in self.leaves
        ]
        return self.scale(self.arrange(leaves))

    def features_of(self, tree: Any) -> torch.Tensor:
        """Lay one step's observations, without images, side by side: ``[P, N, features]``."""
        features: torch.Tensor = flatten(self.space, tree).to(self.dtype)
        return features.view(self.population, -1, self.features)

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


def _parts_of(space: spaces.Space[Any]) -> list[spaces.Space[Any]]:
    """List the spaces that are one tensor each, in the order of the leaves."""
    if isinstance(space, spaces.Dict):
        parts = list(space.spaces.values())
    elif isinstance(space, spaces.Tuple):
        parts = list(space.spaces)
    else:
        return [space]
    return [leaf for part in parts for leaf in _parts_of(part)]
