"""The parallel trainer in a notebook: a real kernel, cell by cell."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]

CREW = 3  # the server and two workers
PRINTED = ["[m0] at step 1 of 4", "[m1] at step 1 of 4"]
ENDLESS = """
class Endless(Mine):
    def post_interaction(self, *, timestep, timesteps):
        self.steps += 1
        if timestep == 3 and self.seed == 1:
            pathlib.Path("running").touch()
        if timestep >= 3:
            time.sleep({seconds})

endless = make(Endless, 10**9, disable_progressbar=True)
endless.train()
"""
REDEFINED = """
class Mine(SumAgent):
    def post_interaction(self, *, timestep, timesteps):
        self.steps += 100

other = make(Mine)
other.train()
trainer.train()
print([agent.steps for agent in (*other.agents, *trainer.agents)])
"""
CHANGED = """
def post_interaction(self, *, timestep, timesteps):
    self.steps += 1000

Mine.post_interaction = post_interaction
other.train()
print([agent.steps for agent in other.agents])
"""


def test_training_and_evaluating_in_one_cell_after_the_other(
    prepared: Any, cells: Callable[[str], Any]
) -> None:
    first = cells("trainer = make(Mine)\ntrainer.train()")
    assert sorted(first.out.splitlines()) == PRINTED
    lines = first.err.replace("\r", "\n").split()
    assert {"4/4", "m0", "m1"} <= set(lines)
    assert len(prepared.processes()) == CREW
    assert cells("print([agent.steps for agent in trainer.agents])").out == "[8, 8]\n"
    assert sorted(cells("trainer.eval()").out.splitlines()) == []
    cells("trainer.train()")
    assert cells("print([agent.steps for agent in trainer.agents])").out == "[16, 16]\n"
    assert len(prepared.processes()) == CREW
    assert cells(REDEFINED).out.splitlines()[-1] == "[400, 400, 24, 24]"
    assert cells(CHANGED).out.splitlines()[-1] == "[4400, 4400]"
    cells("trainer.close()\nother.close()")
    prepared.wait_for_processes(0)


def test_the_stop_button(prepared: Any, cells: Callable[[str], Any], tmp_path: Path) -> None:
    cells("trainer = make(Mine)\ntrainer.train()")
    flag = tmp_path / "running"
    stopped = prepared.run_interrupted(ENDLESS.format(seconds=0.01), flag)
    assert stopped.error == "TrainingInterrupted"
    assert "interrupted by SIGINT after step" in stopped.text
    cells("steps = [agent.steps for agent in endless.agents]")
    assert cells("print(steps[0] == steps[1] == endless.timestep >= 4)").out == "True\n"
    cells("endless.close()")
    prepared.wait_for_processes(CREW)
    cells("trainer.train()")
    assert cells("print([agent.steps for agent in trainer.agents])").out == "[16, 16]\n"
    broken_off = prepared.run_interrupted(ENDLESS.format(seconds=1000), flag, times=2)
    assert broken_off.error == "KeyboardInterrupt"
    assert "second signal" in broken_off.text
    prepared.wait_for_processes(CREW)
    cells("trainer.train()")
    assert cells("print([agent.steps for agent in trainer.agents])").out == "[24, 24]\n"


def test_an_error_is_shown_and_the_next_cell_goes_on(
    prepared: Any, cells: Callable[[str], Any]
) -> None:
    cells("class Bad(Mine):\n    def act(self, observations, **others):\n        raise self.error")
    cells("Bad.error = ValueError('no such luck')\ntrainer = make(Bad)")
    failed = prepared.run("trainer.train()")
    assert failed.error == "WorkerRaised"
    assert "agent 0 ('m0') raised ValueError in act at step 0: no such luck" in failed.text
    assert prepared.processes() == []
    cells("Bad.act = Mine.act\ntrainer.train()")
    assert cells("print([agent.steps for agent in trainer.agents])").out == "[8, 8]\n"


def test_the_kernel_restarts(prepared: Any, cells: Callable[[str], Any]) -> None:
    cells("trainer = make(Mine)\ntrainer.train()")
    kernel = prepared.kernel
    assert len(prepared.processes()) == CREW
    prepared.restart()
    assert prepared.kernel != kernel
    prepared.wait_for_processes(0, kernel)
    assert prepared.run("trainer").error == "NameError"


def test_the_kernel_is_killed(prepared: Any, cells: Callable[[str], Any]) -> None:
    cells("trainer = make(Mine)\ntrainer.train()")
    kernel = prepared.kernel
    asyncio.run(prepared.client.km.signal_kernel(signal.SIGKILL))
    prepared.wait_for_processes(0, kernel)
