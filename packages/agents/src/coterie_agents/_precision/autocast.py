"""Networks that compute in 16 bits."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import nn

from coterie import ConfigError

from .cfg import MixedPrecision


@frozen(kw_only=True)
class Precision:
    """How the networks of a learner are run.

    Weights stay what they are; inside of :meth:`run` products and convolutions are computed in
    16 bits (``torch.autocast``). What comes out is brought back, so that losses, targets and
    statistics are always computed in full.

    Attributes:
        low: Type of 16 bits; ``None``: nothing is changed.
        full: Type of what comes out.
        device_type: ``"cpu"``, ``"cuda"``, ...
    """

    low: torch.dtype | None = None
    full: torch.dtype = torch.float32
    device_type: str = "cpu"

    def run(self, network: nn.Module, inputs: Any) -> torch.Tensor:
        """Run a network."""
        if self.low is None:
            result: torch.Tensor = network.forward(inputs)
            return result
        with torch.autocast(self.device_type, self.low):
            result = network.forward(inputs)
        return result.to(self.full)


FULL = Precision()
"""Nothing is changed."""

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def make_precision(mode: MixedPrecision, dtype: torch.dtype, device: torch.device) -> Precision:
    """Make the precision of a setting.

    Args:
        mode: The setting ``mixed_precision``.
        dtype: Type of the weights.
        device: Where they live.

    Raises:
        ConfigError: The device has no autocast, or the weights are no 32 bits.
    """
    if mode == "off":
        return FULL
    if not torch.amp.is_autocast_available(device.type):
        raise ConfigError(
            f"mixed_precision = {mode!r} needs torch.autocast, which the device {str(device)!r} "
            "does not have: allowed there is 'off'"
        )
    if dtype != torch.float32:
        raise ConfigError(f"mixed_precision = {mode!r} needs weights of float32, got {dtype}")
    return Precision(low=_TYPES[mode], full=dtype, device_type=device.type)
