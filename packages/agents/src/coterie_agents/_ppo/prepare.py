"""From a full memory to samples: old probabilities, values, advantages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from attrs import frozen

from .losses import member_mean
from .returns import gae
from .rollout import Samples

if TYPE_CHECKING:
    from .._memory.rollout import RolloutMemory
    from .._models.actor_critic import ActorCritic
    from .._models.inputs import NetworkInput
    from .._preprocessors.scaler import RunningStandardScaler
    from .hyper import Hyper

_EPSILON = 1e-8

Waiting: TypeAlias = "tuple[tuple[NetworkInput, Any, torch.Tensor | None], ...]"
"""Inputs before scaling, and whose statistics they are still to go into: ``None``: everyone's."""


@frozen(kw_only=True, eq=False)
class Prepared:
    """What :func:`prepare` found.

    Attributes:
        samples: What is learned from.
        explained_variance: Share of the returns' variance that the values foretold, ``[P]``.
        waiting: What goes into the running statistics after the update.
    """

    samples: Samples
    explained_variance: torch.Tensor
    waiting: Waiting


def by_member(tensor: torch.Tensor) -> torch.Tensor:
    """Turn ``[T, P, N, ...]`` into ``[P, T * N, ...]`` (no copy for one member)."""
    return tensor.transpose(0, 1).flatten(1, 2)


def by_time(tensor: torch.Tensor, length: int) -> torch.Tensor:
    """Turn ``[P, T * N]`` into ``[T, P, N]``."""
    return tensor.reshape(tensor.shape[0], length, -1).transpose(0, 1)


def standardize(values: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Bring ``[P, B]`` to mean 0 and standard deviation 1 in each member.

    Args:
        values: Numbers.
        weights: 1 for those that count and 0 for others; ``None``: all count.
    """
    mean = member_mean(values, weights).unsqueeze(1)
    deviation = member_mean((values - mean).square(), weights).sqrt().unsqueeze(1)
    return (values - mean) / (deviation + _EPSILON)


def explained_variance(
    values: torch.Tensor, returns: torch.Tensor, weights: torch.Tensor | None
) -> torch.Tensor:
    """Compute ``1 - Var(returns - values) / Var(returns)``, ``[P]``, from ``[P, B]``."""

    def variance(x: torch.Tensor) -> torch.Tensor:
        mean = member_mean(x, weights).unsqueeze(1)
        return member_mean((x - mean).square(), weights)

    return 1 - variance(returns - values) / variance(returns).clamp(min=_EPSILON)


@torch.no_grad()
def prepare(
    memory: RolloutMemory,
    networks: ActorCritic,
    hyper: Hyper,
    value_scaler: RunningStandardScaler | None,
    *,
    all_valid: bool,
    normalize_advantages: bool,
    time_limit_bootstrap: bool,
    alive: torch.Tensor | None = None,
) -> Prepared:
    """Compute what one update needs from a full memory.

    A member's first statistics of observations are taken before the values are computed; later
    ones only after an update (:attr:`Prepared.waiting`), so that the policy that learns sees what
    the policy that acted saw. Old log-probabilities are always those of the policy that acted.

    Args:
        memory: A full one.
        networks: The networks that acted.
        hyper: Settings of the members.
        value_scaler: Scaling of returns; its statistics are updated. ``None``: no scaling.
        all_valid: Whether every row is experience.
        normalize_advantages: Whether to standardise advantages.
        time_limit_bootstrap: Whether truncated steps bootstrap.
        alive: bool ``[P]``: members that still learn; ``None``: all.

    Returns:
        Samples and diagnostics.
    """
    kept = memory.tensors
    valid = None if all_valid else kept["valid"]
    weights = None if valid is None else by_member(valid).to(hyper.ratio_clip.dtype)
    actions = by_member(kept["actions"])
    seen = _look(memory, networks, actions, weights, alive)
    values, next_values = _values(memory, networks, seen.value_inputs, value_scaler)
    terminated, truncated = kept["terminated"], kept["truncated"]
    if not time_limit_bootstrap:
        terminated = terminated | truncated
    advantages, returns = (
        by_member(part)
        for part in gae(
            kept["rewards"],
            values,
            next_values,
            terminated,
            truncated,
            hyper.discount_factor,
            hyper.gae_lambda,
            valid,
        )
    )
    values = by_member(values)
    explained = explained_variance(values, returns, weights)
    if value_scaler is not None:
        value_scaler.update(returns, weights)
        returns, values = value_scaler.scale(returns), value_scaler.scale(values)
    samples = Samples(
        policy_inputs=seen.policy_inputs,
        value_inputs=seen.value_inputs,
        actions=actions,
        log_prob=seen.log_prob,
        advantages=standardize(advantages, weights) if normalize_advantages else advantages,
        returns=returns,
        values=values,
        weights=weights,
    )
    return Prepared(samples=samples, explained_variance=explained, waiting=seen.waiting)


@frozen(kw_only=True, eq=False)
class _Seen:
    policy_inputs: Any
    value_inputs: Any
    log_prob: torch.Tensor
    waiting: Waiting


def _look(
    memory: RolloutMemory,
    networks: ActorCritic,
    actions: torch.Tensor,
    weights: torch.Tensor | None,
    alive: torch.Tensor | None,
) -> _Seen:
    """Build the networks' inputs, and ask the policy as it acted for log-probabilities."""
    policy_place, value_place = networks.policy_input, networks.value_input
    raw = {id(policy_place): (policy_place, _arrange(memory, policy_place, "observations"))}
    if value_place is not policy_place:
        raw[id(value_place)] = value_place, _arrange(memory, value_place, "states")
    as_acted = policy_place.scale(raw[id(policy_place)][1])
    log_prob, _ = networks.evaluate(as_acted, actions)

    scaled = tuple(pair for pair in raw.values() if pair[0].scaler is not None)
    waiting, changed = take_first_statistics(scaled, weights, alive)
    policy_inputs = as_acted
    if changed:
        policy_inputs = policy_place.scale(raw[id(policy_place)][1])
    value_inputs = policy_inputs
    if value_place is not policy_place:
        value_inputs = value_place.scale(raw[id(value_place)][1])
    return _Seen(
        policy_inputs=policy_inputs,
        value_inputs=value_inputs,
        log_prob=log_prob,
        waiting=waiting,
    )


@torch.no_grad()
def take_first_statistics(
    scaled: Iterable[tuple[NetworkInput, Any]],
    weights: torch.Tensor | None,
    alive: torch.Tensor | None,
) -> tuple[Waiting, bool]:
    """Let members that have no statistics yet take their first; a member that failed never does.

    Args:
        scaled: Places with statistics, and what was seen there, unscaled.
        weights: 1 for samples that count and 0 for others, ``[P, B]``; ``None``: all count.
        alive: bool ``[P]``: members that still learn; ``None``: all.

    Returns:
        What is to be taken after the update, and whether anything was taken now.
    """
    waiting: list[tuple[NetworkInput, Any, torch.Tensor | None]] = []
    changed = False
    for place, inputs in scaled:
        assert place.scaler is not None
        new = place.scaler.count == 0
        if alive is not None:
            new = new & alive
        if not bool(new.any()):
            waiting.append((place, inputs, None))
            continue
        place.take_statistics(inputs, weights, new)
        waiting.append((place, inputs, ~new))
        changed = True
    return tuple(waiting), changed


@torch.no_grad()
def take_statistics(waiting: Waiting, weights: torch.Tensor | None) -> None:
    """Merge unscaled inputs into the running statistics of their places."""
    for place, inputs, members in waiting:
        place.take_statistics(inputs, weights, members)


def _arrange(memory: RolloutMemory, place: NetworkInput, name: str, rows: Any = None) -> Any:
    """Build unscaled inputs from the fields of a memory that belong to ``name``."""
    stored = [memory.tensors[f"{name}.{i}"] for i in range(len(place.leaves))]
    if rows is not None:
        stored = [tensor[rows] for tensor in stored]
    return place.arrange([by_member(tensor) for tensor in stored])


def _values(
    memory: RolloutMemory,
    networks: ActorCritic,
    value_inputs: Any,
    scaler: RunningStandardScaler | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Value what was acted on and what steps ended in, ``[T, P, N]`` each.

    A step that goes on ended in what the next row was acted on; only the last row, and rows in
    which an episode was truncated, need the network again.
    """

    def value(inputs: Any) -> torch.Tensor:
        found = networks.values(inputs)
        return found if scaler is None else scaler.unscale(found)

    length = memory.length
    values = by_time(value(value_inputs), length)
    truncated = memory.tensors["truncated"]
    ends = truncated.flatten(1).any(1)
    ends[-1] = True
    rows = ends.nonzero().squeeze(1)
    ended = networks.value_input.scale(_arrange(memory, networks.value_input, "next", rows))
    behind = by_time(value(ended), len(rows))
    next_values = torch.cat([values[1:], behind[-1:]])
    next_values[rows] = torch.where(truncated[rows], behind, next_values[rows])
    return values, next_values
