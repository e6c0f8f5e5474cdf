"""Comparing states bit for bit, and noticing what changed in the process."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from .._state import flatten_state


def assert_same_state(left: Any, right: Any) -> None:
    """Assert that two states are equal, every tensor bit for bit.

    Raises:
        AssertionError: They differ; the message names where.
    """
    left_structure, left_tensors = flatten_state(left)
    right_structure, right_tensors = flatten_state(right)
    assert left_structure == right_structure, "the plain values of the states differ"
    different = [
        key
        for key, tensor in left_tensors.items()
        if tensor.dtype != right_tensors[key].dtype
        or not torch.equal(_bytes(tensor), _bytes(right_tensors[key]))
    ]
    assert not different, f"these tensors differ: {', '.join(different)}"


def differs(left: Any, right: Any) -> bool:
    """Whether two states of one shape differ anywhere."""
    try:
        assert_same_state(left, right)
    except AssertionError:
        return True
    return False


@contextmanager
def nothing_global() -> Iterator[None]:
    """Assert that a block of code leaves the process as it was.

    Looked at are the global generators of torch, numpy and random, the number of torch threads,
    the signal handlers and the default start method of multiprocessing.

    Raises:
        AssertionError: Something changed.
    """
    before = _process_state()
    yield
    after = _process_state()
    changed = [name for name in before if before[name] != after[name]]
    assert not changed, f"changed for the whole process: {', '.join(changed)}"


def _process_state() -> dict[str, Any]:
    import multiprocessing

    numpy_state: Any = np.random.get_state()
    return {
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "numpy's generator": (numpy_state[1].tobytes(), *numpy_state[2:]),
        "random's generator": random.getstate(),
        "torch's threads": torch.get_num_threads(),
        "signal handlers": [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)],
        "the start method": multiprocessing.get_start_method(allow_none=True),
        "torch's default dtype": torch.get_default_dtype(),
    }


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8) if tensor.numel() else tensor


def numbers_of(infos: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """List the arrays and tensors of numbers in infos by their path, as arrays."""
    found: dict[tuple[Any, ...], Any] = {}
    for key, value in infos.items():
        if isinstance(value, dict):
            found |= numbers_of(value, (*path, key))
        elif hasattr(value, "shape"):
            array = np.asarray(value.cpu() if isinstance(value, torch.Tensor) else value)
            if array.dtype != object:
                found[*path, key] = array
    return found
