"""A notebook with a kernel of its own: cells are run one after the other, as a user does."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

CELL_SECONDS = 100
GONE_SECONDS = 20.0


@frozen(kw_only=True)
class Cell:
    """What a cell left under it.

    Attributes:
        out: Text of standard output.
        err: Text of standard error, the progress bar's too.
        error: Name of the exception; ``None``: there was none.
        text: Text of the exception.
    """

    out: str
    err: str
    error: str | None = field(default=None)
    text: str = field(default="")


class Notebook:
    """A notebook that runs.

    Args:
        client: With a kernel that was started.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def kernel(self) -> int:
        """Process id of the kernel, which leads a session of its own."""
        return int(self.client.km.provisioner.pid)

    def processes(self, session: int | None = None) -> list[int]:
        """Living processes of the kernel's session but for the kernel itself."""
        session = session or self.kernel
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session != int(name) and fields[0] not in "ZX":
                found.append(int(name))
        return found

    def wait_for_processes(self, count: int, session: int | None = None) -> None:
        """Wait until so many are left."""
        deadline = time.monotonic() + GONE_SECONDS
        while len(self.processes(session)) != count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.processes(session)) == count

    def run(self, code: str) -> Cell:
        """Run a cell."""
        cell = nbformat.v4.new_code_cell(code)
        self.client.nb.cells.append(cell)
        self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        streams = {"stdout": "", "stderr": ""}
        for output in cell.outputs:
            if output.output_type == "stream":
                streams[output.name] += output.text
        errors = [output for output in cell.outputs if output.output_type == "error"]
        error = {"error": errors[0].ename, "text": errors[0].evalue} if errors else {}
        return Cell(out=streams["stdout"], err=streams["stderr"], **error)

    def run_interrupted(self, code: str, flag: Path, times: int = 1) -> Cell:
        """Run a cell, and press the stop button when a file is there."""

        def press() -> None:
            while not flag.exists():
                time.sleep(0.01)
            for _ in range(times):
                asyncio.run(self.client.km.interrupt_kernel())
                time.sleep(0.3)

        presser = threading.Thread(target=press, daemon=True)
        presser.start()
        cell = self.run(code)
        presser.join(CELL_SECONDS)
        flag.unlink()
        return cell

    def restart(self) -> None:
        """Restart the kernel, as the button does."""
        asyncio.get_event_loop().run_until_complete(self.client.km.restart_kernel(now=False))


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a fresh kernel; in the end its processes are gone."""
    client = nbclient.NotebookClient(
        nbformat.v4.new_notebook(), timeout=CELL_SECONDS, kernel_name="python3", allow_errors=True
    )
    # Where this is set, the kernel leaves what other processes print alone.
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    with client.setup_kernel(cwd=str(tmp_path), env=env):
        made = Notebook(client)
        kernel = made.kernel
        yield made
    made.wait_for_processes(0, kernel)


SETUP = '''
import os, pathlib, time
import torch
from coterie.testing import CountingEnv, SumAgent
from coterie_backends_mp import ParallelTrainer

torch.set_num_threads(1)

class Mine(SumAgent):
    """Of the notebook's __main__."""

    factor = 1
    twice = staticmethod(lambda value: 2 * value)

    def post_interaction(self, *, timestep, timesteps):
        super().post_interaction(timestep=timestep, timesteps=timesteps)
        self.steps += self.twice(self.factor) - 1
        if timestep == 1:
            print("at step", timestep, "of", timesteps)

def make(kind, timesteps=4, **cfg):
    env = CountingEnv(4)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    agents = [kind(**spaces, seed=seed, name=f"m{seed}") for seed in range(2)]
    cfg = {"timesteps": timesteps, "headless": True, "threads": 1, **cfg}
    return ParallelTrainer(env=env, agents=agents, cfg=cfg)
'''


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    """A notebook whose first cell was run."""
    assert notebook.run(SETUP).error is None
    return notebook


@pytest.fixture
def cells(prepared: Notebook) -> Callable[[str], Cell]:
    """Run a cell that must go well."""

    def run(code: str) -> Cell:
        cell = prepared.run(code)
        assert cell.error is None, cell
        return cell

    return run
