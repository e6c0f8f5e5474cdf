"""How many threads torch uses for a command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_threads(wanted: int | None) -> Iterator[None]:
    """Set the number of torch's threads in this process, and put it back afterwards.

    One thread is the default: the networks of a population are small, threads that wait for
    each other on busy cores cost far more than they bring, and sums over one thread give the
    same results on every machine.

    Args:
        wanted: The number; ``None``: what ``OMP_NUM_THREADS`` says, or else 1.
    """
    import torch

    before = torch.get_num_threads()
    if wanted is not None or not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(wanted or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
