"""One update of PPO: epochs over the mini-batches of a rollout."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import torch

from .._optim.adam import clip_by_norm
from .._optim.schedule import adapt_to_kl, linear_decay
from .gradients import descend
from .losses import Losses
from .prepare import take_statistics
from .rollout import Samples

if TYPE_CHECKING:
    from .._preprocessors.scaler import RunningStandardScaler, Statistics
    from .learner import PPOLearner

Step: TypeAlias = tuple[Losses, torch.Tensor, torch.Tensor | None]
"""Losses and norms of the gradients of one optimiser step, and who takes part, ``[P]`` each.

The last is bool; ``None``: everyone."""

_LOSSES = ("policy", "value", "entropy")
_ADVICE = (
    "Look for infinite or very large observations and rewards; a lower learning_rate, "
    "observation_normalization, value_normalization or a smaller grad_norm_clip may help"
)


def update_members(learner: PPOLearner, *, timestep: int, timesteps: int) -> list[dict[str, float]]:
    """Learn from a full memory.

    Args:
        learner: The members.
        timestep: Timestep from 0.
        timesteps: Number of timesteps in all.

    Returns:
        Scalars of each member, by name.
    """
    cfg, optimizer = learner.cfg, learner.optimizer
    if cfg.learning_rate_scheduler == "linear":
        first = torch.tensor([c.learning_rate for c in learner.cfgs], dtype=torch.float64)
        optimizer.learning_rate.copy_(linear_decay(first, timestep, timesteps))
    kept = _statistics(learner)
    prepared = learner.prepare()
    rate = optimizer.learning_rate.clone()
    steps = learner.descend(prepared.samples)
    take_statistics(prepared.waiting, prepared.samples.weights)
    if learner.alive is not None:
        for scaler, before in kept:
            scaler.revert(before, ~learner.alive)
    return _scalars(learner, steps, prepared.explained_variance, rate)


def epochs(learner: PPOLearner, samples: Samples) -> list[Step]:
    """Do every optimiser step of an update of PPO.

    Args:
        learner: The members.
        samples: What they learn from, ``[P, B, ...]``.

    Returns:
        What happened in every step.
    """
    cfg, hyper = learner.cfg, learner.hyper
    steps: list[Step] = []
    limit = hyper.kl_threshold
    near = None if limit is None else torch.ones_like(limit, dtype=torch.bool)
    for epoch in range(cfg.learning_epochs):
        before = len(steps)
        batches = iter(learner.batches(samples))
        for batch in batches:
            losses, gradient = descend(learner, batch)
            norm = learner.scaler.check(clip_by_norm(gradient, hyper.grad_norm_clip), near)
            active = guard(learner, losses, norm, near)
            steps.append((losses, norm, near))
            if near is not None and limit is not None:
                near = near & (losses.kl <= limit)
                active = near if active is None else near & active
            if active is not None and learner.looks and not bool(active.any()):
                _skip(learner, samples, batches, cfg.learning_epochs - epoch - 1)
                return steps
            learner.optimizer.step(gradient, learner.scaler.allowed(active))
        if cfg.learning_rate_scheduler == "kl_adaptive":
            kl = torch.stack([losses.kl for losses, *_ in steps[before:]]).mean(0)
            _adapt(learner, kl, near)
    return steps


def _skip(learner: PPOLearner, samples: Samples, batches: Iterator[Samples], epochs: int) -> None:
    """Draw the batches that are left, so that who stops early draws as many numbers as others.

    Args:
        learner: The members.
        samples: What they learn from.
        batches: What is left of this epoch.
        epochs: How many more there are.
    """
    deque(batches, maxlen=0)
    for _ in range(epochs):
        deque(learner.batches(samples), maxlen=0)


def _statistics(learner: PPOLearner) -> list[tuple[RunningStandardScaler, Statistics]]:
    """Keep the running statistics: an update that fails must not spoil them."""
    places = learner.networks.policy_input, learner.networks.value_input
    scalers = {id(s): s for s in (*(p.scaler for p in places), learner.value_scaler) if s}
    return [(scaler, scaler.statistics) for scaler in scalers.values()]


def _adapt(learner: PPOLearner, kl: torch.Tensor, near: torch.Tensor | None) -> None:
    cfg, optimizer = learner.cfg, learner.optimizer
    low, high = cfg.learning_rate_min, cfg.learning_rate_max
    rate = adapt_to_kl(optimizer.learning_rate, kl, learner.hyper.kl_target, low, high)
    if near is not None:
        rate = torch.where(near, rate, optimizer.learning_rate)
    optimizer.learning_rate.copy_(rate)


def guard(
    learner: PPOLearner, losses: Losses, norm: torch.Tensor, near: torch.Tensor | None = None
) -> torch.Tensor | None:
    """Freeze members before their weights are spoiled.

    Args:
        learner: The members.
        losses: Their losses.
        norm: Norms of their gradients, ``[P]``.
        near: bool ``[P]``: members that take part in this step; ``None``: all.

    Returns:
        bool ``[P]``: members that may make the step; ``None``: all.
    """
    parts = {f"loss/{name}": getattr(losses, name).detach() for name in _LOSSES}
    total = losses.total.detach() + norm
    if near is not None:
        total = torch.where(near, total, 0.0)
    return learner.guard(total, {**parts, "gradient_norm": norm}, _ADVICE)


def _scalars(
    learner: PPOLearner,
    steps: list[Step],
    explained: torch.Tensor,
    rate: torch.Tensor,
) -> list[dict[str, float]]:
    """Average the losses over each member's steps; one transfer to the host for all of them."""
    taken = [near for *_, near in steps if near is not None]
    part = torch.stack(taken) if taken else None

    def average(rows: list[torch.Tensor]) -> torch.Tensor:
        if part is None:
            return torch.stack(rows).mean(0)
        return torch.where(part, torch.stack(rows), 0.0).sum(0) / part.sum(0)

    def mean(name: str) -> torch.Tensor:
        return average([getattr(losses, name).detach() for losses, *_ in steps])

    entropy = mean("entropy")
    columns = {
        "loss/policy": mean("policy"),
        "loss/value": mean("value"),
        "loss/entropy": -learner.hyper.entropy_loss_scale * entropy,
        "entropy": entropy,
        **{name: mean(name) for name in learner.diagnostics},
        "learning_rate": rate,
        "explained_variance": explained,
        "gradient_norm": average([norm for _, norm, _ in steps]),
        **learner.scaler.scalars(),
    }
    log_std = learner.networks.log_std
    if log_std is not None:
        columns["standard_deviation"] = log_std.detach().exp().mean(-1)
    rows = torch.stack([column.to(torch.float64) for column in columns.values()], dim=1).tolist()
    return [dict(zip(columns, row, strict=True)) for row in rows]
