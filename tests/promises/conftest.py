"""One warm server of workers for all tests here: what they test does not depend on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coterie_backends_mp import WorkerServer


@pytest.fixture(scope="session", autouse=True)
def _warm_server() -> Iterator[None]:
    with WorkerServer():
        yield
