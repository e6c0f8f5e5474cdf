"""One warm server for all tests that do not ask for one of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from coterie_backends_mp import WorkerServer


@pytest.fixture(scope="session", autouse=True)
def _warm_server() -> Iterator[None]:
    with WorkerServer():
        yield


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
