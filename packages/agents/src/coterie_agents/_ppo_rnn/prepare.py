"""From a full memory to sequences: what was remembered, old probabilities, values, advantages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen

from .._models.inputs import NetworkInput
from .._ppo.prepare import (
    Prepared,
    explained_variance,
    standardize,
    take_first_statistics,
)
from .._ppo.returns import gae
from .._ppo.rollout import Samples
from .._recurrent.network import StackedRecurrent
from .._recurrent.sequences import Sequences, episode_starts, parted

if TYPE_CHECKING:
    from .._memory.rollout import RolloutMemory
    from .learner import PPORNNLearner


@frozen(eq=False)
class Unrolled:
    """A network's way through a rollout.

    Attributes:
        outputs: ``[P, N * T, outputs]``.
        states: What it remembered after each step, ``[P, N, T, size]``.
        sequences: What it took in, cut into sequences ``[P, N * T / L, L, ...]``.
    """

    outputs: torch.Tensor
    states: torch.Tensor
    sequences: Sequences


def by_instance(tensor: torch.Tensor) -> torch.Tensor:
    """Turn ``[T, P, N, ...]`` into ``[P, N, T, ...]``."""
    return tensor.movedim(0, 2)


@torch.no_grad()
def prepare(
    learner: PPORNNLearner, first: torch.Tensor, value_first: torch.Tensor
) -> tuple[Prepared, torch.Tensor]:
    """Compute what one update needs from a full memory.

    Statistics of observations are taken as PPO does. Both networks go through the whole
    rollout as the policy did when it acted, which gives what they remember at the start of each
    sequence.

    Args:
        learner: The members.
        first: What the policy remembered at the start of the rollout, ``[P, N, size]``.
        value_first: What the value network did.

    Returns:
        Samples in the order of instances, then of time, their inputs in sequences; and what the
        value network remembers at the start of the next rollout.
    """
    assert learner.memory is not None
    memory, networks, cfg = learner.memory, learner.networks, learner.cfg
    kept = memory.tensors
    terminated, truncated = kept["terminated"], kept["truncated"]
    ended = by_instance(terminated | truncated | ~kept["valid"])
    starts = episode_starts(ended)
    valid = None if learner.all_valid else kept["valid"]
    weights = None if valid is None else _rows(valid).to(learner.dtype)
    actions = _rows(kept["actions"])

    policy_place, value_place = networks.policy_input, networks.value_input
    raw = {id(policy_place): (policy_place, _arrange(memory, policy_place, "observations"))}
    if value_place is not policy_place:
        raw[id(value_place)] = value_place, _arrange(memory, value_place, "states")
    length = cfg.length
    as_acted = _unroll(networks.policy, policy_place, raw, first, starts, length)
    log_prob, _ = networks.head.evaluate(as_acted.outputs, networks.log_std, actions)
    scaled = tuple(pair for pair in raw.values() if pair[0].scaler is not None)
    waiting, changed = take_first_statistics(scaled, weights, learner.alive)
    policy = as_acted
    if changed:
        policy = _unroll(networks.policy, policy_place, raw, first, starts, length)
    value = _unroll(networks.value, value_place, raw, value_first, starts, length)

    values, next_values = _values(learner, value, truncated)
    if not cfg.time_limit_bootstrap:
        terminated = terminated | truncated
    hyper = learner.hyper
    discounts = hyper.discount_factor, hyper.gae_lambda
    estimated = gae(kept["rewards"], values, next_values, terminated, truncated, *discounts, valid)
    advantages, returns = (_rows(part) for part in estimated)
    values = _rows(values)
    explained = explained_variance(values, returns, weights)
    if learner.value_scaler is not None:
        learner.value_scaler.update(returns, weights)
        returns, values = (learner.value_scaler.scale(part) for part in (returns, values))
    samples = Samples(
        policy_inputs=policy.sequences,
        value_inputs=value.sequences,
        actions=actions,
        log_prob=log_prob,
        advantages=standardize(advantages, weights) if cfg.normalize_advantages else advantages,
        returns=returns,
        values=values,
        weights=weights,
    )
    prepared = Prepared(samples=samples, explained_variance=explained, waiting=waiting)
    last = value.states[:, :, -1].masked_fill(ended[:, :, -1:], 0.0)
    return prepared, last


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    """Turn ``[T, P, N, ...]`` into ``[P, N * T, ...]``."""
    return by_instance(tensor).flatten(1, 2)


def _arrange(memory: RolloutMemory, place: NetworkInput, name: str, rows: Any = None) -> Any:
    """Build unscaled inputs ``[P, N * T, features]`` from the fields that belong to ``name``."""
    stored = [memory.tensors[f"{name}.{i}"] for i in range(len(place.leaves))]
    if rows is not None:
        stored = [tensor[rows] for tensor in stored]
    return place.arrange([_rows(tensor) for tensor in stored])


def _unroll(
    network: StackedRecurrent,
    place: NetworkInput,
    raw: dict[int, tuple[NetworkInput, torch.Tensor]],
    first: torch.Tensor,
    starts: torch.Tensor,
    length: int,
) -> Unrolled:
    """Let a network go through the rollout, from what it remembered at its start."""
    scaled = place.scale(raw[id(place)][1])
    features = parted(scaled, 1, (starts.shape[1], starts.shape[2]))
    seen, states = network.encode(Sequences(features, first, starts))
    before = torch.cat([first.unsqueeze(2), states[:, :, length - 1 : -1 : length]], 2)
    sequences = Sequences(
        parted(features, 2, (-1, length)).flatten(1, 2),
        before.flatten(1, 2),
        parted(starts, 2, (-1, length)).flatten(1, 2),
    )
    return Unrolled(network.decode(seen.flatten(1, 2)), states, sequences)


def _values(
    learner: PPORNNLearner, value: Unrolled, truncated: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Value what was acted on and what steps ended in, ``[T, P, N]`` each.

    A step that goes on ended in what the next row was acted on. Only behind the last row, and
    rows in which an episode was truncated, the network goes on by one more step: from what it
    remembers of the episode, to the observation that it truly ended in.
    """
    assert learner.memory is not None
    networks, scaler = learner.networks, learner.value_scaler

    def unscale(found: torch.Tensor) -> torch.Tensor:
        return found if scaler is None else scaler.unscale(found)

    shape = value.states.shape[1], value.states.shape[2]
    values = parted(unscale(value.outputs.squeeze(-1)), 1, shape).movedim(2, 0)
    ends = truncated.flatten(1).any(1)
    ends[-1] = True
    rows = ends.nonzero().squeeze(1)
    place = networks.value_input
    inputs = place.scale(_arrange(learner.memory, place, "next", rows))
    behind, _ = networks.value.step(inputs, value.states[:, :, rows].flatten(1, 2))
    behind = parted(unscale(behind.squeeze(-1)), 1, (shape[0], -1)).movedim(2, 0)
    next_values = torch.cat([values[1:], behind[-1:]])
    next_values[rows] = torch.where(truncated[rows], behind, next_values[rows])
    return values, next_values
