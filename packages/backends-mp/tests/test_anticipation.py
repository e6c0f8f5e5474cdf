"""A server that is started before there is a trainer, by the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from coterie import Experiment, load_experiment, make_trainer
from coterie.testing import CountingEnv, SumAgent, agents_for
from coterie_backends_mp import WorkerServer, _warm
from coterie_backends_mp._warm import anticipate

QUICK = {"timesteps": 4, "disable_progressbar": True, "headless": True}


@pytest.fixture(autouse=True)
def _no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_warm, "_idle", [])  # the server of all tests is to be used again


def experiment(device: str = "cpu", member: str | None = None, **settings: Any) -> Experiment:
    return load_experiment(
        {
            "environment": {"id": "torch:CartPole-v1", "num_envs": 2, "device": device},
            "trainer": {"name": "parallel", "settings": settings},
            "members": [{"agent": "ppo", "device": member}],
        }
    )


def test_the_next_trainer_takes_it_and_ends_it() -> None:
    anticipate(experiment())
    anticipate(experiment())
    (launcher,) = _warm._idle
    server = psutil.Process(launcher.pid)
    env = CountingEnv(2)
    with make_trainer("parallel", env=env, agents=agents_for(env, SumAgent), cfg=QUICK) as trainer:
        trainer.train()
        assert _warm._idle == []
        (worker,) = server.children()
        assert worker.pid in {p.pid for p in trainer._executor._crew.processes.values()}  # type: ignore[attr-defined]
    assert not server.is_running()


def test_none_is_started_where_none_is_needed() -> None:
    anticipate(experiment(start_method="spawn"))
    anticipate(experiment(device="cuda:0"))
    anticipate(experiment(member="cuda"))
    assert _warm._idle == []
    with WorkerServer():
        anticipate(experiment())
        assert len(_warm._idle) == 1


UNUSED = """
import sys
from coterie import load_experiment
from coterie_backends_mp import _warm
_warm.anticipate(load_experiment({
    "environment": {"id": "torch:CartPole-v1", "num_envs": 2},
    "trainer": {"name": "parallel"},
    "members": [{"agent": "ppo"}],
}))
print(_warm._idle[0].pid, "torch" in sys.modules)
"""


def test_one_that_nobody_takes_ends_with_the_program() -> None:
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", UNUSED], capture_output=True, text=True, check=True, timeout=60
    )
    pid, torch_was_imported = done.stdout.split()
    assert torch_was_imported == "False"
    assert not psutil.pid_exists(int(pid))
    assert done.stderr == ""
    assert time.monotonic() - start < 30
