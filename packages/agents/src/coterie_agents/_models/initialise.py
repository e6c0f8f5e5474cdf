"""Initial weights, drawn without touching the process-wide generators."""

from __future__ import annotations

import math

import torch

from coterie import derive_seed

HIDDEN_GAIN = math.sqrt(2)
POLICY_GAIN = 0.01
VALUE_GAIN = 1.0


def init_generator(seed: int, network: str) -> torch.Generator:
    """Make the generator that a member's network is drawn from (on the CPU, for any device)."""
    return torch.Generator().manual_seed(derive_seed(seed, "init", network))


def orthogonal(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> torch.Tensor:
    """Draw an orthogonal matrix ``[inputs, outputs]`` (Saxe et al. 2014, arXiv:1312.6120)."""
    matrix = torch.empty(outputs, inputs)
    torch.nn.init.orthogonal_(matrix, gain, generator=generator)
    return matrix.t().contiguous()
