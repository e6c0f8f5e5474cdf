"""Mini-batches of whole sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from .._ppo.rollout import Samples, part_sizes
from .._recurrent.sequences import parted, take_rows


def sequence_batches(
    samples: Samples, parts: int, generators: Sequence[torch.Generator]
) -> Iterator[Samples]:
    """Shuffle the sequences within each member and cut them into parts.

    Args:
        samples: Samples ``[P, S * L, ...]`` of ``S`` sequences of length ``L`` one after the
            other; their inputs are :class:`Sequences`.
        parts: Number of mini-batches.
        generators: One per member, which its order is drawn from.

    Yields:
        Mini-batches ``[P, s * L, ...]``.
    """
    count, length = samples.policy_inputs.features.shape[1:3]
    drawn = [torch.randperm(count, generator=g, device=g.device) for g in generators]

    for order in torch.stack(drawn).split_with_sizes(part_sizes(count, parts), dim=1):
        yield _pick(samples, order, length)


def _pick(samples: Samples, order: torch.Tensor, length: int) -> Samples:
    def take(tensor: torch.Tensor) -> torch.Tensor:
        return take_rows(parted(tensor, 1, (-1, length)), order).flatten(1, 2)

    weights = samples.weights
    return Samples(
        policy_inputs=samples.policy_inputs.rows(order),
        value_inputs=samples.value_inputs.rows(order),
        actions=take(samples.actions),
        log_prob=take(samples.log_prob),
        advantages=take(samples.advantages),
        returns=take(samples.returns),
        values=take(samples.values),
        weights=None if weights is None else take(weights),
    )
