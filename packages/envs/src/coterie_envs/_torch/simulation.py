"""What a torch-native environment is between two steps, and what one step gives."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Simulation(NamedTuple):
    """All that the following steps of ``N`` instances depend on.

    Attributes:
        state: States, ``[state_size, N]`` of the environment's ``state_dtype``.
        elapsed: Steps of the running episodes, int64 ``[N]``.
        positions: Where the random streams of the running episodes start, int64 ``[N]``.
    """

    state: torch.Tensor
    elapsed: torch.Tensor
    positions: torch.Tensor


class Outcome(NamedTuple):
    """What one step of ``N`` instances gives.

    Attributes:
        observations: What the next actions answer, ``[N, ...]``.
        rewards: float32 ``[N]``.
        terminated: Whether the episode came to its end, bool ``[N]``.
        truncated: Whether the time limit cut it, bool ``[N]``.
        final_obs: Observations before any reset, ``[N, ...]``.
    """

    observations: torch.Tensor
    rewards: torch.Tensor
    terminated: torch.Tensor
    truncated: torch.Tensor
    final_obs: torch.Tensor
