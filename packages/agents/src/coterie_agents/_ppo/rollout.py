"""What an update learns from, and its mini-batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from attrs import frozen

from coterie.spaces import tree_map


@frozen(kw_only=True, eq=False)
class Samples:
    """Samples of every member, ``[P, B, ...]`` each.

    Attributes:
        policy_inputs: What the policy takes in.
        value_inputs: What the value network takes in; may be the same object.
        actions: Stored actions.
        log_prob: Log-probability of the actions under the policy that acted, ``[P, B]``.
        advantages: ``[P, B]``.
        returns: Targets of the value network, ``[P, B]``.
        values: What the value network gave before the update, ``[P, B]``.
        weights: 1 for samples that count and 0 for others, ``[P, B]``; ``None``: all count.
    """

    policy_inputs: Any
    value_inputs: Any
    actions: torch.Tensor
    log_prob: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    values: torch.Tensor
    weights: torch.Tensor | None


def part_sizes(total: int, parts: int) -> list[int]:
    """Cut ``total`` into ``parts`` whole numbers that differ by one at most."""
    size, longer = divmod(total, parts)
    return [size + (i < longer) for i in range(parts)]


def mini_batches(
    samples: Samples, parts: int, generators: Sequence[torch.Generator]
) -> Iterator[Samples]:
    """Shuffle the samples within each member and cut them into parts.

    Args:
        samples: All of them.
        parts: Number of mini-batches.
        generators: One per member, which its order is drawn from.

    Yields:
        Mini-batches ``[P, b, ...]``.
    """
    population, total = samples.advantages.shape
    sizes = part_sizes(total, parts)
    order = _order(total, sizes, generators)
    rows = [size * population for size in sizes]

    def cut(tensor: torch.Tensor) -> list[torch.Tensor]:
        pieces = tensor.flatten(0, 1).index_select(0, order).split_with_sizes(rows)
        # Not -1: there may be no numbers but those of images.
        return [
            piece.view(population, size, *tensor.shape[2:])
            for piece, size in zip(pieces, sizes, strict=True)
        ]

    policy_inputs = tree_map(cut, samples.policy_inputs)
    shared = samples.value_inputs is samples.policy_inputs
    value_inputs = policy_inputs if shared else tree_map(cut, samples.value_inputs)
    names = ("actions", "log_prob", "advantages", "returns", "values")
    columns = {name: cut(getattr(samples, name)) for name in names}
    weights = None if samples.weights is None else cut(samples.weights)
    for i in range(parts):
        yield Samples(
            policy_inputs=_pick(policy_inputs, i),
            value_inputs=_pick(value_inputs, i),
            weights=None if weights is None else weights[i],
            **{name: column[i] for name, column in columns.items()},
        )


def _order(total: int, sizes: list[int], generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Draw the order of rows of ``[P * total]``: part by part, in each member by member."""
    drawn = [torch.randperm(total, generator=g, device=g.device) for g in generators]
    if len(drawn) == 1:
        return drawn[0]
    stacked = torch.stack([order + p * total for p, order in enumerate(drawn)])
    return torch.cat([part.reshape(-1) for part in stacked.split_with_sizes(sizes, dim=1)])


def _pick(tree: Any, index: int) -> Any:
    """Take one part out of a tree of lists of parts."""
    if isinstance(tree, dict):
        return {key: _pick(value, index) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_pick(value, index) for value in tree)
    return tree[index]
