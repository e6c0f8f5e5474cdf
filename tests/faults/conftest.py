"""How many faults are injected, and the process that they are injected into."""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ANSWER_SECONDS = 90.0
COUNT = int(os.environ.get("COTERIE_FAULTS", "200"))
SEED = int(os.environ.get("COTERIE_FAULTS_SEED", "0"))

sys.path.append(str(HERE))  # for the neighbours, which scripts import too

import crash_chain  # noqa: E402
import fault_plan  # noqa: E402
import fault_survey  # noqa: E402
from crash_chain import Nursery  # noqa: E402
from fault_survey import Patience, Stalls  # noqa: E402

_delays: defaultdict[str, list[float]] = defaultdict(list)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests their faults, and the plan that these come from."""
    if "fault" in metafunc.fixturenames:
        faults = fault_plan.plan(COUNT, SEED)
        metafunc.parametrize("fault", faults, ids=fault_plan.label)
    if "moment" in metafunc.fixturenames:
        moments = fault_plan.moments(max(3, COUNT // 50), SEED)
        metafunc.parametrize("moment", moments, ids=str)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was injected, and how long it took until the user knew; and who was killed."""
    for kind, count in sorted(crash_chain.counts.items()):
        terminalreporter.write_line(f"crashes: {count} {kind}")
    if not _delays:
        return
    count = sum(map(len, _delays.values()))
    terminalreporter.write_line(
        f"faults: {count} injected (COTERIE_FAULTS={COUNT} COTERIE_FAULTS_SEED={SEED}); "
        "seconds from the fault to the exception:"
    )
    for kind, delays in sorted(_delays.items()):
        known = sorted(delays)
        late = known[min(len(known) - 1, int(0.99 * len(known)))]
        terminalreporter.write_line(
            f"  {kind}: {len(known)}, median {statistics.median(known):.3f}, "
            f"99 % {late:.3f}, longest {known[-1]:.3f}"
        )


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

    def note(self, kind: str, delay: float) -> None:
        """Keep how long it took until the user knew, for the summary."""
        _delays[kind].append(delay)

    def close(self) -> None:
        """End it; nothing of its session may be left."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        code, session = self._process.wait(ANSWER_SECONDS), self._process.pid
        self._process = None
        assert code == 0
        assert fault_survey.processes(session) == []

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
        stalls, patience, ready = Stalls(), Patience(ANSWER_SECONDS), []
        while not ready and patience.left:
            ready, _, _ = select.select([self._process.stdout], [], [], 0)
            stalls.look()
            patience.nap()
        line = self._process.stdout.readline() if ready else ""
        if not line:
            fault_survey.kill_all(self._process.pid)
            self._process.wait()
            self._process = None
            pytest.fail("the trainer hung" if not ready else "the trainer's process died")
        answer: dict[str, Any] = json.loads(line)
        if "raised" in answer:
            answer["delay"] = stalls.seconds_without(answer["injected"], answer["raised"])
        return answer


@pytest.fixture(scope="session")
def arena() -> Iterator[Arena]:
    """A process to inject faults into."""
    made = Arena()
    yield made
    made.close()


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """A process that forks victims."""
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()
