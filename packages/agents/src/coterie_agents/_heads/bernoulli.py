"""Independent yes-or-no choices: MultiBinary spaces."""

from __future__ import annotations

from typing import Any

import torch

from .interface import Head


class BernoulliHead(Head):
    """A logit per bit.

    Args:
        shape: Shape of the space.
        dtype: Type of its elements.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.shape, self.env_dtype = shape, dtype
        self.size = self.noise_size = self.action_size = int(torch.Size(shape).numel())
        self.action_dtype = torch.int8
        self.note = f"a logit for each of {self.size} bits"

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Draw logistic noise ``[*shape, noise_size]``."""
        unit = torch.rand((*shape, self.noise_size), generator=generator, device=generator.device)
        return torch.logit(unit)

    def sample(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, noise: torch.Tensor
    ) -> torch.Tensor:
        """Set the bits whose logit plus noise is positive."""
        return self.mode(outputs + noise)

    def mode(self, outputs: torch.Tensor) -> torch.Tensor:
        """Set the bits whose logit is positive."""
        return (outputs > 0).to(self.action_dtype)

    def evaluate(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum log-probabilities and entropies over the bits."""
        bits = actions.to(outputs.dtype)
        yes = torch.nn.functional.logsigmoid(outputs)
        no = yes - outputs
        log_prob = (bits * yes + (1 - bits) * no).sum(-1)
        chance = torch.sigmoid(outputs)
        return log_prob, -(chance * yes + (1 - chance) * no).sum(-1)

    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Give the space's shape and type."""
        return actions.reshape(-1, *self.shape).to(self.env_dtype)

    def from_env(self, actions: Any) -> torch.Tensor:
        """Flatten."""
        flat: torch.Tensor = actions.reshape(-1, self.action_size)
        return flat.to(self.action_dtype)
