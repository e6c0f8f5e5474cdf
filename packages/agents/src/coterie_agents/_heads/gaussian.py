"""Real numbers: Box spaces."""

from __future__ import annotations

import math
from typing import Any

import torch

from .interface import Head, Pull

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class GaussianHead(Head):
    """Means from the network, standard deviations that do not depend on the observation.

    Actions are clipped to the space's bounds on their way to the environment; what is learned
    from is the action before that.

    Args:
        shape: Shape of the space.
        dtype: Type of its elements.
        low: Lower bounds, of the space's shape; may be infinite.
        high: Upper bounds.
    """

    learns_log_std = True

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        low: torch.Tensor,
        high: torch.Tensor,
    ) -> None:
        self.shape, self.env_dtype = shape, dtype
        self.size = self.noise_size = self.action_size = int(torch.Size(shape).numel())
        self.action_dtype = torch.float32
        self.note = f"a mean for each of {self.size} actions"
        bounded = bool(torch.isfinite(low).any() or torch.isfinite(high).any())
        self._bounds = (low.to(dtype), high.to(dtype)) if bounded else None

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Draw normal noise ``[*shape, noise_size]``."""
        return torch.randn((*shape, self.noise_size), generator=generator, device=generator.device)

    def sample(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, noise: torch.Tensor
    ) -> torch.Tensor:
        """Add noise, scaled by the standard deviations, to the means."""
        assert log_std is not None
        return torch.addcmul(outputs, log_std.exp().unsqueeze(1), noise)

    def mode(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the means."""
        return outputs

    def evaluate(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum log-densities and entropies over the dimensions."""
        assert log_std is not None
        scaled = (actions - outputs) * (-log_std).exp().unsqueeze(1)
        spread = (log_std + _HALF_LOG_TAU).sum(-1, keepdim=True)
        log_prob = -0.5 * scaled.square().sum(-1) - spread
        return log_prob, (spread + 0.5 * self.size).expand_as(log_prob)

    def evaluate_with_pull(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Pull]:
        """Evaluate, with the gradients written out.

        With z = (a - mean) / std, the log-density has the gradient z / std in the mean and
        ``z**2 - 1`` in the logarithm of std; the entropy has 1 in the latter.
        """
        assert log_std is not None
        narrowness = (-log_std).exp().unsqueeze(1)
        scaled = (actions - outputs) * narrowness
        squares = scaled.square()
        spread = (log_std + _HALF_LOG_TAU).sum(-1, keepdim=True)
        log_prob = -0.5 * squares.sum(-1) - spread

        def pull(
            of_log_prob: torch.Tensor, of_entropy: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor | None]:
            rows = of_log_prob.unsqueeze(-1)
            of_log_std = (rows * (squares - 1)).sum(1) + of_entropy.sum(1, keepdim=True)
            return scaled * narrowness * rows, of_log_std

        return log_prob, (spread + 0.5 * self.size).expand_as(log_prob), pull

    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Give the space's shape and type, and clip to its bounds."""
        shaped = actions.reshape(-1, *self.shape).to(self.env_dtype)
        return shaped if self._bounds is None else shaped.clamp(*self._bounds)

    def from_env(self, actions: Any) -> torch.Tensor:
        """Flatten."""
        flat: torch.Tensor = actions.reshape(-1, self.action_size)
        return flat.to(self.action_dtype)
