"""Random streams that depend on names and seeds only, never on who else draws."""

from __future__ import annotations

import ctypes
import hashlib
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def derive_seed(seed: int, *path: int | str) -> int:
    """Derive the seed of a stream from a seed and the stream's name.

    Args:
        seed: Any integer, of a member or an environment.
        path: What the stream is for, for example ``("env", 3)``.

    Returns:
        An integer from 0 to 2**63 - 1: the first 8 bytes of the SHA-256 digest of the arguments.
    """
    text = "/".join((str(int(seed)), *(str(part) for part in path)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class GlobalStreams:
    """The process-wide generators of torch, numpy and random, as a member sees them.

    Agents that draw from the global generators would disturb each other. Each member has its
    own copy of their states; :meth:`active` swaps it in for as long as the member's code runs.

    Args:
        seed: Seed that the three streams start from.
        device: A CUDA device whose generator belongs to the member too.
    """

    def __init__(self, seed: int, device: torch.device | None = None) -> None:
        self._cuda = device if device is not None and device.type == "cuda" else None
        self._installed = False
        outside = self._capture()
        torch.default_generator.manual_seed(derive_seed(seed, "torch"))
        np.random.seed(derive_seed(seed, "numpy") % 2**32)
        random.seed(derive_seed(seed, "random"))
        if self._cuda is not None:
            torch.cuda.default_generators[self._cuda.index or 0].manual_seed(
                derive_seed(seed, "torch")
            )
        self._inside = self._capture()
        self._apply(outside)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Swap the member's streams in, and the caller's back afterwards."""
        outside = None if _turns and self._cuda is None else self._capture()
        self._apply(self._inside)
        try:
            yield
        finally:
            self._inside = self._capture()
            if outside is not None:
                self._apply(outside)

    @classmethod
    @contextmanager
    def in_turn(cls) -> Iterator[None]:
        """Let members have their turns, and swap the caller's streams back only after the last.

        Nothing else in the block may draw from the process-wide generators.
        """
        outside = _capture_cpu()
        _turns.append(cls)
        try:
            yield
        finally:
            _turns.pop()
            _apply_cpu(outside)

    def install(self) -> None:
        """Make the process-wide generators the member's own, for good: nobody else draws here."""
        self._apply(self._inside)
        self._installed = True

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the streams as tensors and plain values."""
        if self._installed:
            self._inside = self._capture()
        kind, keys, position, has_gauss, gauss = self._inside["numpy"]
        version, numbers, gauss_next = self._inside["random"]
        return {
            "torch": self._inside["torch"].clone(),
            "cuda": None if self._cuda is None else self._inside["cuda"].clone(),
            "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss],
            "random": [version, torch.tensor(numbers, dtype=torch.int64), gauss_next],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        kind, keys, position, has_gauss, gauss = state["numpy"]
        version, numbers, gauss_next = state["random"]
        self._inside["torch"] = state["torch"].clone()
        if self._cuda is not None and state["cuda"] is not None:
            self._inside["cuda"] = state["cuda"].clone()
        self._inside["numpy"] = (kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss)
        self._inside["random"] = (version, tuple(numbers.tolist()), gauss_next)
        if self._installed:
            self._apply(self._inside)

    def _capture(self) -> dict[str, Any]:
        states = _capture_cpu()
        if self._cuda is not None:
            states["cuda"] = torch.cuda.get_rng_state(self._cuda)
        return states

    def _apply(self, states: dict[str, Any]) -> None:
        _apply_cpu(states)
        if self._cuda is not None:
            torch.cuda.set_rng_state(states["cuda"], self._cuda)


_turns: list[Any] = []  # not empty while members have their turns


def _capture_cpu() -> dict[str, Any]:
    return {
        "torch": torch.get_rng_state(),
        "numpy": _numpy.capture(),
        "random": random.getstate(),
    }


def _apply_cpu(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    _numpy.apply(states["numpy"])
    random.setstate(states["random"])


class _NumpyStream:
    """Swaps the state of numpy's global generator, and asks numpy only when it must.

    ``np.random.get_state`` and ``set_state`` take 80 microseconds each. The state is a block of
    memory, whose address numpy publishes, and a cached normal number, which it does not. As long
    as the block is what was seen last, and nothing was cached then, the state is that of then;
    and a state without a cached number can then be set by writing the block.
    """

    def __init__(self) -> None:
        self._block = b""  # what was seen last, while no normal number was cached
        self._state: Any = None

    def capture(self) -> Any:
        """Return the state, as ``np.random.get_state`` gives it."""
        if not self._unchanged():
            self._see(np.random.get_state())
        return self._state

    def apply(self, state: Any) -> None:
        """Set the state."""
        memory = _published_memory()
        if memory is None or state[3] or not self._unchanged():
            np.random.set_state(state)
        else:
            block = _block_of(state)
            ctypes.memmove(memory, block, len(block))
        self._see(state)

    def _see(self, state: Any) -> None:
        self._state = state
        self._block = b"" if state[3] else _block_of(state)

    def _unchanged(self) -> bool:
        memory = _published_memory()
        size = len(self._block)
        return memory is not None and size > 0 and ctypes.string_at(memory, size) == self._block


def _published_memory() -> int | None:
    """Address of the global generator's key and position; ``None``: it is no Mersenne Twister."""
    generator: Any = np.random.get_bit_generator()  # type: ignore[attr-defined]
    if not isinstance(generator, np.random.MT19937):
        return None
    return int(generator.ctypes.state_address)


def _block_of(state: Any) -> bytes:
    """Lay a state out as numpy's MT19937 does: 624 32-bit words, and the position as an int."""
    _, keys, position, *_ = state
    return bytes(keys.astype(np.uint32).tobytes() + int(position).to_bytes(4, sys.byteorder))


_numpy = _NumpyStream()


@contextmanager
def isolated_generators(seed: int) -> Iterator[None]:
    """Seed torch, numpy and random for a block of code, and put them back afterwards.

    Args:
        seed: What the block's draws start from, for example while a network is initialised.
    """
    with GlobalStreams(seed).active():
        yield
