"""One warm server for all tests that do not ask for one of their own."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest
import torch

from coterie_backends_mp import WorkerServer


@pytest.fixture(scope="session")
def _servers() -> Iterator[list[WorkerServer]]:
    made: list[WorkerServer] = []
    yield made
    for server in made:
        server.close()


@pytest.fixture(autouse=True)
def _warm_server(_servers: list[WorkerServer]) -> None:
    """Make another where a test has used one up: all that follow would start one each."""
    if not _servers or not psutil.pid_exists(_servers[-1].pid):
        _servers.append(WorkerServer())


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
