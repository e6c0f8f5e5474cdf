"""What one of skrl's agents does in an evaluation: its best, without exploring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    taken: list[tuple[Any, str, Any]] = []
    replaced: dict[str, Any] = {"random_timesteps": 0}
    if not noise:
        replaced["exploration_scheduler"] = None
        if getattr(agent, "_exploration_noise", None) is not None:
            taken.append((agent, "_exploration_noise", agent._exploration_noise))
            agent._exploration_noise = None
    for name, value in replaced.items():
        if hasattr(agent.cfg, name):
            taken.append((agent.cfg, name, getattr(agent.cfg, name)))
            setattr(agent.cfg, name, value)
    try:
        yield
    finally:
        for holder, name, value in taken:
            setattr(holder, name, value)


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
