"""What happens to an agent of skrl when all its instances are reset in mid-episode."""

from __future__ import annotations

from typing import Any

import torch
from skrl.memories.torch import Memory


@torch.no_grad()
def values_of(
    value: Any, scalers: tuple[Any, Any, Any], observations: torch.Tensor, states: Any
) -> torch.Tensor:
    """Ask the value function of an agent.

    Args:
        value: skrl's model.
        scalers: Its preprocessors of observations, states and values.
        observations: ``[n, size]``.
        states: ``[n, size]``, or ``None``.

    Returns:
        Values ``[n, 1]``, in the unit of rewards.
    """
    of_observations, of_states, of_values = scalers
    given = {"observations": of_observations(observations), "states": of_states(states)}
    found: torch.Tensor = of_values(value.act(given, role="value")[0], inverse=True)
    return found


def cut_rollout(memory: Memory, next_values: torch.Tensor, discount: float) -> None:
    """Let the newest row of a rollout bootstrap from where it ended, and end there.

    The truncated return of Pardo et al. 2018, "Time Limits in Reinforcement Learning" (eq. 6).

    Args:
        memory: The rollout.
        next_values: Values of the observations that the row ended in, ``[num_envs, 1]``.
        discount: The discount factor.
    """
    newest = memory.memory_index - 1
    rewards, terminated = memory.tensors["rewards"][newest], memory.tensors["terminated"][newest]
    open_rows = ~(terminated | memory.tensors["truncated"][newest])
    rewards += discount * next_values * open_rows
    terminated |= open_rows


def is_within_rollout(memory: Memory | None) -> bool:
    """Whether a memory is that of a rollout under way."""
    needed = {"rewards", "values", "terminated", "truncated"}
    return memory is not None and needed <= set(memory.tensors) and memory.memory_index > 0


def forget_hidden(agent: Any) -> None:
    """Set the hidden states of a recurrent agent to what they begin an episode with."""
    for states in getattr(agent, "_rnn_initial_states", {}).values():
        for state in states:
            state.zero_()
