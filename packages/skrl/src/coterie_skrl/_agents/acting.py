"""What one of skrl's agents does in an evaluation: its best, without exploring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from gymnasium import spaces


@contextmanager
def without_exploration(agent: Any, *, noise: bool) -> Iterator[None]:
    """Have an agent act by its policy alone.

    Args:
        agent: The agent of skrl.
        noise: Whether to leave the noise and the ε of its exploration, and take away only the
            random actions that it begins its training with.
    """
    settings: dict[str, Any] = {"random_timesteps": 0}
    if not noise:
        settings["exploration_scheduler"] = None
    own = {} if noise else {"_exploration_noise": None}
    with _replaced(agent.cfg, settings), _replaced(agent, own):
        yield


def without_memories(agent: Any) -> AbstractContextManager[None]:
    """Have an agent be without its memories, and without AMP's sets of motions.

    Args:
        agent: The agent of skrl.
    """
    return _replaced(agent, dict.fromkeys(("memory", "memories", "motion_dataset")))


@contextmanager
def _replaced(holder: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Give an object other values for a while, for attributes that it has."""
    before = {name: getattr(holder, name) for name in values if hasattr(holder, name)}
    for name in before:
        setattr(holder, name, values[name])
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(holder, name, value)


@contextmanager
def without_value_states(agent: Any) -> Iterator[None]:
    """Let a recurrent agent record a step of an evaluation, in which its value function is idle.

    Where policy and value are two networks, skrl's look for the hidden state of the value's pass,
    which there is only in training, and raise.

    Args:
        agent: The agent of skrl.
    """
    value = getattr(agent, "value", None)
    if value is None or value is agent.policy or not getattr(agent, "_rnn", False):
        yield
        return
    with _replaced(agent, {"value": agent.policy}):
        yield


def most_probable(
    actions: torch.Tensor, outputs: Any, space: spaces.Space[Any], policy: Any
) -> torch.Tensor:
    """Choose the mean of a Gaussian policy, or the most probable action of a categorical one.

    Args:
        actions: What the agent drew, ``[n, size]``.
        outputs: What its policy told beside.
        space: Space of the actions.
        policy: The policy.

    Returns:
        Actions ``[n, size]``; those drawn where the policy tells nothing.
    """
    if "mean_actions" in outputs:
        mean: torch.Tensor = outputs["mean_actions"]
        if getattr(policy, "_g_clip_actions", False):  # what it draws is clipped, its mean is not
            mean = torch.clamp(mean, min=policy._g_min_actions, max=policy._g_max_actions)
        return mean
    if "net_output" not in outputs:
        return actions
    scores: torch.Tensor = outputs["net_output"]
    if isinstance(space, spaces.Discrete):
        return scores.argmax(-1, keepdim=True).to(actions.dtype)
    if isinstance(space, spaces.MultiDiscrete):
        parts = torch.split(scores, space.nvec.tolist(), dim=-1)
        return torch.stack([part.argmax(-1) for part in parts], -1).to(actions.dtype)
    return actions
