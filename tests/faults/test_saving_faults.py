"""A worker that dies, or raises, while it saves its member to a checkpoint."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coterie import CheckpointWriteError, WorkerDied, WorkerRaised
from coterie._checkpoints.folders import CHECKPOINTS, committed, find_checkpoint
from coterie.testing import CountingEnv, SumAgent, agents_for, assert_same_state
from coterie_backends_mp import ParallelTrainer, WorkerServer

HOME = os.getpid()
CFG = {
    "timesteps": 8,
    "headless": True,
    "disable_progressbar": True,
    "threads": 1,
    "processes": 3,
    "checkpoints": {"interval": 2, "minutes": None},
}


class Saver(SumAgent):
    """Gives its state in step 4 of a worker; what happens then, happens to its file."""

    fault = ""
    stamp: Path | None = None

    def state_dict(self) -> Any:
        again = self.stamp is not None and self.stamp.exists()
        if self.fault and os.getpid() != HOME and self.steps == 4 and not again:
            if self.stamp is not None:
                self.stamp.touch()
            os.fsync = FAULTS[self.fault]
        return super().state_dict()


def die(descriptor: int) -> None:
    """Be killed when half of the file is there."""
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(descriptor: int) -> None:
    """Find the disk full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


FAULTS: dict[str, Any] = {"die": die, "refuse": refuse}


def trainer_for(run: Path | None, fault: str = "", **cfg: Any) -> ParallelTrainer:
    env = CountingEnv(6)
    agents = agents_for(env, Saver, Saver, Saver)
    agents[1].fault = fault  # type: ignore[attr-defined]
    return ParallelTrainer(env=env, agents=agents, cfg={**CFG, **cfg}, run_dir=run)


@pytest.fixture(scope="module", autouse=True)
def _warm_server() -> Iterator[None]:
    with WorkerServer() as server:
        server.wait_ready()
        yield


@pytest.fixture(scope="module")
def healthy() -> list[Any]:
    with trainer_for(None) as trainer:
        trainer.train()
        return [agent.state_dict() for agent in trainer.agents]


def nothing_is_left(run: Path) -> bool:
    return not [path for path in run.rglob(".*") if path.name != ".lock"]


def test_the_run_ends_with_the_checkpoint_before(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with trainer_for(run, "die") as trainer, pytest.raises(WorkerDied) as caught:
        trainer.train()
    assert (caught.value.agent_index, caught.value.phase) == (1, "save")
    assert any("step-000000000002" in note for note in caught.value.__notes__)
    assert find_checkpoint(run).manifest.timestep == 2
    assert nothing_is_left(run)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_others_go_on(tmp_path: Path, healthy: list[Any]) -> None:
    run = tmp_path / "run"
    with trainer_for(run, "die", on_member_failure="continue") as trainer:
        summary = trainer.train()
    assert [member.status for member in summary.members] == ["trained", "failed", "trained"]
    for index in (0, 2):
        assert_same_state(trainer.agents[index].state_dict(), healthy[index])
    assert [path.name[-2:] for path in committed(run / CHECKPOINTS)] == ["06", "08"]
    found = find_checkpoint(run)
    assert [member.status for member in found.manifest.members] == ["active", "failed", "active"]
    assert sorted(found.manifest.files) == [
        "members/sum-0.safetensors",
        "members/sum-2.safetensors",
        "run.safetensors",
    ]
    assert nothing_is_left(run)


def test_it_goes_back_and_tries_again(tmp_path: Path, healthy: list[Any]) -> None:
    run = tmp_path / "run"
    with trainer_for(run, "die", on_member_failure="resume") as trainer:
        trainer.agents[1].stamp = tmp_path / "stamp"  # type: ignore[attr-defined]
        trainer.train()
    assert (tmp_path / "stamp").exists()
    for agent, state in zip(trainer.agents, healthy, strict=True):
        assert_same_state(agent.state_dict(), state)
    assert nothing_is_left(run)


def test_a_full_disk_is_no_failure_of_the_member(tmp_path: Path, healthy: list[Any]) -> None:
    run = tmp_path / "run"
    with (
        trainer_for(run, "refuse", checkpoints={"interval": 4, "minutes": None}) as trainer,
        pytest.warns(RuntimeWarning, match=r"No space left on device.*training goes on"),
        pytest.raises(CheckpointWriteError) as caught,
    ):
        trainer.train()
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, WorkerRaised)
    for agent, state in zip(trainer.agents, healthy, strict=True):
        assert_same_state(agent.state_dict(), state)
    assert find_checkpoint(run).manifest.timestep == 0
    assert nothing_is_left(run)
