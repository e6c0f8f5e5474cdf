"""The random streams that VMAS draws from, one set for each environment."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


class Streams:
    """Random streams of an environment's own, for as long as its code runs.

    All environments of VMAS in a process draw from the same three streams (torch, numpy,
    random), and on an accelerator from the process-wide generator. This keeps the states of one
    environment apart, so that a second one, or the program, changes nothing in the first; it is
    a context manager that brings them in and puts back what was there.

    Args:
        shared: The list in which VMAS keeps the states of its streams.
        device: Where the environment draws.
    """

    def __init__(self, shared: list[Any], device: torch.device) -> None:
        self._shared = shared
        self._generator = _generator_of(device)
        self._own = list(shared)
        self._outside: list[Any] = []
        if self._generator is not None:
            self._own.append(self._generator.get_state())

    def seed(self, seed: int) -> None:
        """Start the streams over, in the way that VMAS does it.

        Args:
            seed: From 0 to 2**31 - 1.
        """
        self._own = [
            torch.Generator().manual_seed(seed).get_state(),
            np.random.RandomState(seed).get_state(),
            random.Random(seed).getstate(),
        ]
        if self._generator is not None:
            device = self._generator.device
            self._own.append(torch.Generator(device).manual_seed(seed).get_state())

    def __enter__(self) -> None:
        self._outside = self._swap(self._own)

    def __exit__(self, *_: object) -> None:
        self._own = self._swap(self._outside)

    def _swap(self, states: list[Any]) -> list[Any]:
        found = list(self._shared)
        self._shared[:] = states[:3]
        if self._generator is not None:
            found.append(self._generator.get_state())
            self._generator.set_state(states[3])
        return found


def _generator_of(device: torch.device) -> torch.Generator | None:
    if device.type != "cuda":
        return None
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return torch.cuda.default_generators[device.index or 0]
