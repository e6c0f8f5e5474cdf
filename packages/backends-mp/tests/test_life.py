"""Processes start once, stay, and leave nothing behind; the caller's process is left alone."""

from __future__ import annotations

import gc
import os
import select
import signal
import threading
import time
import warnings
from typing import Any

import psutil
import pytest
import torch

from coterie import (
    ConfigError,
    TrainerStateError,
    WorkerDied,
    WorkerStartError,
    WorkerTimeout,
)
from coterie.plugins import hookimpl, register
from coterie.testing import CountingEnv, SumAgent, agents_for, assert_same_state, nothing_global
from coterie_backends_mp import ParallelTrainer, WorkerServer, _warm
from coterie_backends_mp._launcher import Launcher

QUIET = {"timesteps": 8, "headless": True, "disable_progressbar": True, "threads": 1}


class PidAgent(SumAgent):
    """Learns its process id and how many threads torch has there."""

    pids: tuple[int, ...] = ()
    threads = 0

    def setup(self, num_envs: int) -> None:
        super().setup(num_envs)
        self.pids = (*self.pids, os.getpid())
        self.threads = torch.get_num_threads()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "pids": list(self.pids), "threads": self.threads}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.pids, self.threads = tuple(state["pids"]), state["threads"]


def trainer_for(count: int = 2, kind: type[SumAgent] = PidAgent, **cfg: Any) -> ParallelTrainer:
    """A trainer with equal scopes of two instances."""
    env = CountingEnv(2 * count)
    return ParallelTrainer(env=env, agents=agents_for(env, *[kind] * count), cfg={**QUIET, **cfg})


def descendants() -> set[int]:
    """Processes that this one started, and those that they did."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_processes_start_once() -> None:
    with trainer_for() as trainer:
        trainer.train()
        trainer.eval()
        trainer.train()
        first, second = (agent.pids for agent in trainer.agents)
    assert len(set(first)) == len(set(second)) == 1
    assert {os.getpid(), *first, *second} == {os.getpid(), first[0], second[0]}
    assert first[0] != second[0]


@pytest.mark.parametrize(("processes", "expected"), [(1, 1), (2, 2), (None, 3), (7, 3)])
def test_agents_share_processes(processes: int | None, expected: int) -> None:
    with trainer_for(3, processes=processes) as trainer:
        trainer.train()
        assert len({agent.pids for agent in trainer.agents}) == expected


def test_each_worker_has_its_share_of_the_cores() -> None:
    with trainer_for(2, threads=2) as trainer:
        trainer.train()
        assert [agent.threads for agent in trainer.agents] == [2, 2]
    cores = len(os.sched_getaffinity(0))
    with trainer_for(2, threads=None) as trainer:
        trainer.train()
        assert [agent.threads for agent in trainer.agents] == [max(1, cores // 2)] * 2


def test_state_that_the_caller_changes_between_runs_counts() -> None:
    with trainer_for(2, SumAgent) as trainer:
        trainer.train()
        trainer.agents[0].sum = torch.full((3,), 100.0)
        trainer.train()
        assert trainer.agents[0].sum.abs().max() > 20
        assert [agent.steps for agent in trainer.agents] == [16, 16]


def test_agents_are_given_back_after_a_failure() -> None:
    class Leaving(PidAgent):
        def act(self, observations: Any, *, timestep: int, **others: Any) -> Any:
            if timestep == 5 and self.seed == 1:
                os._exit(9)
            return super().act(observations, timestep=timestep, **others)

    trainer = trainer_for(2, Leaving)
    with pytest.raises(WorkerDied, match="exit code 9") as caught:
        trainer.train()
    assert caught.value.exitcode == 9
    assert trainer.agents[0].steps == 5
    assert trainer.agents[1].steps == 0
    assert trainer.agents[0].pids[0] not in descendants()
    trainer.close()


def test_a_process_that_died_is_started_again_for_the_next_run() -> None:
    with trainer_for(2, on_member_failure="continue") as trainer:
        trainer.train()
        victim = trainer.agents[1].pids[0]
        process = psutil.Process(victim)
        process.kill()
        process.wait(10)
        summary = trainer.train()
        assert [member.status for member in summary.members] == ["trained", "trained"]
        assert [len(set(agent.pids)) for agent in trainer.agents] == [1, 2]


def test_nothing_is_left_behind() -> None:
    with trainer_for() as trainer:
        trainer.train()
    gc.collect()
    fds, processes, shm = os.listdir("/proc/self/fd"), descendants(), set(os.listdir("/dev/shm"))
    for _ in range(3):
        with trainer_for(3) as trainer:
            trainer.train()
    assert len(os.listdir("/proc/self/fd")) == len(fds)
    assert descendants() == processes
    assert set(os.listdir("/dev/shm")) <= shm


def test_two_descriptors_per_worker() -> None:
    counts = []
    for count in (2, 5):
        with trainer_for(count) as trainer:
            trainer.train()
            counts.append(len(os.listdir("/proc/self/fd")))
    assert counts[1] - counts[0] == 2 * 3


def test_a_trainer_that_is_forgotten_takes_its_processes_along() -> None:
    before = descendants()
    trainer = trainer_for()
    trainer.train()
    assert len(descendants()) == len(before) + 2
    del trainer
    gc.collect()
    assert descendants() == before


def test_the_callers_process_is_left_alone() -> None:
    threads = threading.active_count()
    with nothing_global(), trainer_for() as trainer:
        handlers = [signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGUSR1)]
        trainer.train()
        trainer.eval()
        assert threading.active_count() == threads
        after = [signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGUSR1)]
        assert handlers == after


def test_a_thread_may_train_and_end() -> None:
    trainer = trainer_for()
    thread = threading.Thread(target=trainer.train)
    thread.start()
    thread.join()
    trainer.train()
    assert [agent.steps for agent in trainer.agents] == [16, 16]
    trainer.close()


def test_two_trainers_at_once() -> None:
    with trainer_for() as first, trainer_for() as second:
        first.train()
        second.train()
        first.train()
        assert [agent.steps for agent in first.agents] == [16, 16]
    assert_same_state(second.agents[0].sum, trained_once().agents[0].sum)


def trained_once() -> ParallelTrainer:
    """A trainer after one run."""
    with trainer_for() as trainer:
        trainer.train()
    return trainer


def test_a_server_is_shared_and_ends() -> None:
    before = descendants()
    with WorkerServer() as first, WorkerServer() as second:
        assert {first.pid, second.pid} <= descendants()
        second.close()
        second.close()
        assert second.pid not in descendants()
    assert descendants() == before


def test_too_few_descriptors_are_told_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 20))
    before = descendants()
    with trainer_for() as trainer, pytest.raises(WorkerStartError, match="file descriptors") as e:
        trainer.train()
    assert "20 are allowed" in str(e.value)
    assert descendants() == before


def test_a_slow_member_is_named_once_in_a_while() -> None:
    class Slow(SumAgent):
        def post_interaction(self, *, timestep: int, timesteps: int) -> None:
            if self.seed == 1 and timestep == 2:
                threading.Event().wait(0.5)

    with (
        trainer_for(2, Slow, slow_warning=0.2) as trainer,
        warnings.catch_warnings(record=True) as w,
    ):
        warnings.simplefilter("always")
        trainer.train()
    texts = [str(warning.message) for warning in w]
    assert any("agent 1 ('sum-1') has been in post_interaction at step 2" in t for t in texts)
    assert len(texts) <= 3


def test_an_executor_that_is_not_open_says_so() -> None:
    with trainer_for() as trainer:
        executor = trainer.make_executor()
        with pytest.raises(TrainerStateError, match="not running"):
            executor.restore(trainer.members[0], {})
        executor.close()
        executor.close()


class ScalableAgent(SumAgent):
    """Can change its scale while it lives."""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "scale": self.cfg.scale}


def test_restore_and_reconfigure_reach_the_workers() -> None:
    with trainer_for(2, ScalableAgent) as trainer:
        trainer.train()
        executor = trainer._executor
        assert executor is not None
        before = executor.snapshot()
        assert sorted(before) == [0, 1]
        executor.reconfigure(trainer.members[1], {"scale": 4.0})
        assert executor.snapshot()[1]["agent"]["scale"] == 4.0
        assert executor.snapshot()[0]["agent"]["scale"] == 1.0
        with pytest.raises(ConfigError, match="scale"):
            executor.reconfigure(trainer.members[0], {"scale": "big"})
        changed = {**before[0], "agent": {**before[0]["agent"], "steps": 77}}
        executor.restore(trainer.members[0], changed)
        after = executor.snapshot([trainer.members[0]])
        assert after[0]["agent"]["steps"] == 77
        assert_same_state(after[0]["agent"]["sum"], before[0]["agent"]["sum"])


def test_a_server_gets_ready_while_nobody_listens() -> None:
    launcher = Launcher(fork=True)
    server = psutil.Process(launcher.pid)
    poll = select.poll()
    poll.register(launcher.fileno(), select.POLLIN)
    assert poll.poll(60_000)
    assert launcher.exits() == []
    launcher.wait_ready(0.001)
    launcher.close(10)
    assert not server.is_running()


class SlowStarter(SumAgent):
    """The first needs longer to load than a phase may take; another may never get ready."""

    hangs = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.seed == 0:
            time.sleep(1.0)

    def setup(self, num_envs: int) -> None:
        super().setup(num_envs)
        if self.seed == 0:
            time.sleep(0.3)
        elif self.hangs:
            time.sleep(100)


class HangingStarter(SlowStarter):
    hangs = True


def test_getting_ready_has_a_time_of_its_own() -> None:
    with trainer_for(2, SlowStarter, phase_timeout=0.7) as trainer:
        trainer.train()
        assert [agent.steps for agent in trainer.agents] == [8, 8]


def test_only_who_is_late_is_blamed() -> None:
    settings = {"phase_timeout": 0.7, "on_member_failure": "continue"}
    with trainer_for(2, HangingStarter, **settings) as trainer:
        trainer.train()
        slow, hung = trainer.members
        assert slow.failure is None
        assert isinstance(hung.failure, WorkerTimeout)
        assert hung.failure.phase == "setup"


def test_a_server_that_owes_an_answer_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_warm, "_idle", [])  # the server of all tests is to be used again
    with WorkerServer() as server:
        server.wait_ready()
        with trainer_for(start_timeout=1e-6) as trainer, pytest.raises(WorkerStartError):
            trainer.train()
        with trainer_for() as trainer:
            trainer.train()
            workers = {agent.pids[0] for agent in trainer.agents}
        assert not workers & descendants()
    assert not descendants() & {server.pid}


class CoreAgent(PidAgent):
    """Learns which cores it may use."""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "cores": sorted(os.sched_getaffinity(0))}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.cores = state["cores"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system knows no affinity")
def test_workers_stay_on_cores_of_their_own_when_asked() -> None:
    mine = sorted(os.sched_getaffinity(0))
    for pin in (True, False):
        with trainer_for(2, CoreAgent, pin=pin) as trainer:
            trainer.train()
            found = [agent.cores for agent in trainer.agents]
        if pin:
            assert [len(cores) for cores in found] == [1, 1]
            assert len({cores[0] for cores in found}) == min(2, len(mine))
        else:
            assert found == [mine, mine]
    assert sorted(os.sched_getaffinity(0)) == mine


def test_the_time_of_parts_does_not_run_backwards_when_a_member_stops(tmp_path):
    class Stops:
        @hookimpl
        def coterie_should_stop(self, progress):
            return "enough" if (progress.member.index, progress.timestep) == (0, 20) else None

    class Silent:
        @hookimpl
        def coterie_run_finished(self):
            pass

    register(Stops(), name="stops-in-a-test")
    env = CountingEnv(4)
    cfg = {"timesteps": 40, "metrics_interval": 5, "disable_progressbar": True}
    agents = agents_for(env, SumAgent, SumAgent)
    with ParallelTrainer(env=env, agents=agents, cfg=cfg, run_dir=tmp_path / "run") as trainer:
        summary = trainer.train()
    register(Silent(), name="stops-in-a-test")
    assert [member.stopped for member in summary.members] == ["enough", None]
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    spent = [float(line.split(",")[5]) for line in lines if ",,time/members/" in line]
    assert len(spent) > 20
    assert min(spent) >= 0
