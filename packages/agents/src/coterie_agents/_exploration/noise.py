"""Noise that is added to real actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def gaussian_noise(normals: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """Scale standard normal numbers ``[P, N, A]`` to each member's deviation ``[P]``."""
    return normals * deviation.view(-1, 1, 1)


class OrnsteinUhlenbeckNoise:
    """Noise that drifts: ``x' = x - theta x + sigma e`` (Uhlenbeck and Ornstein 1930).

    The discrete process of Lillicrap et al. 2016 (arXiv:1509.02971, section 7), with a step of
    one timestep and mean 0. It starts at 0, and again in every episode.

    Args:
        population: Members, P.
        num_envs: Instances of each member, N.
        size: Numbers in an action, A.
        dtype: Type of the noise.
        device: Where it lives.

    Attributes:
        value: Noise of the last timestep, ``[P, N, A]``.
    """

    def __init__(
        self,
        population: int,
        num_envs: int,
        size: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.value = torch.zeros(population, num_envs, size, dtype=dtype, device=device)
        self._next = self.value

    def next(
        self, normals: torch.Tensor, deviation: torch.Tensor, reversion: torch.Tensor
    ) -> torch.Tensor:
        """Return the noise of this timestep; asking again with the same numbers changes nothing.

        Args:
            normals: Standard normal numbers ``[P, N, A]``.
            deviation: Sigma of each member, ``[P]``.
            reversion: Theta of each member, ``[P]``.

        Returns:
            ``[P, N, A]``.
        """
        kept = self.value * (1 - reversion.view(-1, 1, 1))
        self._next = kept + gaussian_noise(normals, deviation)
        return self._next

    def advance(self, done: torch.Tensor) -> None:
        """Go on to the next timestep.

        Args:
            done: bool ``[P * N]``: instances whose episode ended, which start at 0 again.
        """
        ended = done.view(*self.value.shape[:2], 1)
        self.value = torch.where(ended, 0.0, self._next)
        self._next = self.value

    def state(self, member: int = 0) -> dict[str, Any]:
        """Return a member's noise of the last timestep, as a copy ``[N, A]``."""
        return {"value": self.value[member].clone()}

    def load(self, state: Mapping[str, Any], member: int = 0) -> None:
        """Take over what :meth:`state` returned."""
        self.value = self.value.clone()
        self.value[member] = state["value"].to(self.value)
        self._next = self.value
