"""One or several independent choices: Discrete and MultiDiscrete spaces."""

from __future__ import annotations

from typing import Any

import torch

from .interface import Head, Pull


class CategoricalHead(Head):
    """Logits for each value of each choice, side by side.

    Samples by the Gumbel-max trick: the argmax of logits plus Gumbel noise.

    Args:
        counts: Number of values of each choice.
        starts: Smallest value of each choice.
        shape: Shape of the space; ``()`` for Discrete.
        device: Where actions live.
    """

    def __init__(
        self,
        counts: tuple[int, ...],
        starts: tuple[int, ...],
        shape: tuple[int, ...],
        device: torch.device,
    ) -> None:
        self.counts, self.shape = counts, shape
        self.size = self.noise_size = sum(counts)
        self.action_size = len(counts)
        self.action_dtype = torch.int64
        self.note = f"logits of {counts[0]} actions" if shape == () else f"logits of {counts}"
        self._starts = torch.tensor(starts, device=device) if any(starts) else None

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Draw Gumbel noise ``[*shape, noise_size]``."""
        unit = torch.rand((*shape, self.noise_size), generator=generator, device=generator.device)
        return unit.log_().neg_().log_().neg_()

    def sample(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, noise: torch.Tensor
    ) -> torch.Tensor:
        """Choose the largest of logits plus noise."""
        return self.mode(outputs + noise)

    def mode(self, outputs: torch.Tensor) -> torch.Tensor:
        """Choose the largest logit."""
        if len(self.counts) == 1:
            return outputs.argmax(-1, keepdim=True)
        parts = outputs.split_with_sizes(self.counts, -1)
        return torch.stack([part.argmax(-1) for part in parts], -1)

    def evaluate(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum log-probabilities and entropies over the choices."""
        parts = outputs.split_with_sizes(self.counts, -1) if len(self.counts) > 1 else (outputs,)
        found = [self._choice(part, actions[..., i : i + 1]) for i, part in enumerate(parts)]
        if len(found) == 1:
            return found[0]
        log_probs, entropies = zip(*found, strict=True)
        return torch.stack(log_probs).sum(0), torch.stack(entropies).sum(0)

    @staticmethod
    def _choice(logits: torch.Tensor, action: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        log_probs = torch.log_softmax(logits, -1)
        entropy = -(log_probs.exp() * log_probs).sum(-1)
        return log_probs.gather(-1, action).squeeze(-1), entropy

    def evaluate_with_pull(
        self, outputs: torch.Tensor, log_std: torch.Tensor | None, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Pull]:
        """Evaluate; of a single choice the gradient is known.

        With probabilities p, chosen action a and entropy H, the gradients of a logit i are
        ``[i = a] - p_i`` and ``-p_i (log p_i + H)``.
        """
        if len(self.counts) > 1:
            return super().evaluate_with_pull(outputs, log_std, actions)
        log_probs = torch.log_softmax(outputs, -1)
        chances = log_probs.exp()
        entropy = -(chances * log_probs).sum(-1)

        def pull(
            of_log_prob: torch.Tensor, of_entropy: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor | None]:
            of_log_prob = of_log_prob.unsqueeze(-1)
            inner = torch.addcmul(
                of_log_prob, log_probs + entropy.unsqueeze(-1), of_entropy.unsqueeze(-1)
            )
            gradient = (chances * inner).neg_()
            return gradient.scatter_add_(-1, actions, of_log_prob), None

        return log_probs.gather(-1, actions).squeeze(-1), entropy, pull

    def to_env(self, actions: torch.Tensor) -> torch.Tensor:
        """Add the starts and give the space's shape."""
        shaped = actions if self._starts is None else actions + self._starts
        return shaped.reshape(-1, *self.shape)

    def from_env(self, actions: Any) -> torch.Tensor:
        """Flatten and take the starts off."""
        flat: torch.Tensor = actions.reshape(-1, self.action_size)
        return flat if self._starts is None else flat - self._starts
