"""How many faults are injected, and the process that they are injected into."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ANSWER_SECONDS = 60.0


class Arena:
    """A process, in a session of its own, that meets one fault after the other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def meet(self, fault: dict[str, Any]) -> dict[str, Any]:
        """Inject a fault and return what came of it."""
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fault) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait(ANSWER_SECONDS)
            self._process = None

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "arena.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert self._answer() == {"ready": True}

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            pytest.fail("the trainer hung" if not ready else "the trainer's process died")
        answer: dict[str, Any] = json.loads(line)
        return answer


@pytest.fixture(scope="session")
def arena() -> Iterator[Arena]:
    """A process to inject faults into."""
    made = Arena()
    yield made
    made.close()
