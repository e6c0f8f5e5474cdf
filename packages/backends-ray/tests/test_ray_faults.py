"""Processes and nodes that are killed while islands train."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from functools import partial

import pytest
import ray

from coterie import SequentialTrainer, TrainingInterrupted, WorkerDied
from coterie.plugins import hookimpl, register
from coterie.testing import CountingEnv, GlobalDrawAgent, LeanSumAgent, SumAgent, assert_same_state
from coterie_backends_ray import RayHost, RayTrainerCfg

KINDS = (SumAgent, GlobalDrawAgent, LeanSumAgent)
STEPS = 1500
FIRST = int(os.environ.get("COTERIE_FAULTS_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("COTERIE_CLUSTER_FAULTS", "1")))
CFG = {"timesteps": STEPS, "disable_progressbar": True, "metrics_interval": 100}


class At:
    """Does something when the run has come to a timestep."""

    def __init__(self, deeds):
        self.deeds = dict(deeds)

    @hookimpl
    def coterie_metrics_ready(self, run, rows):
        for timestep in [t for t in self.deeds if rows[0].timestep >= t]:
            self.deeds.pop(timestep)()


class Nothing:
    @hookimpl
    def coterie_run_finished(self):
        """Do nothing."""


def agents_for(env):
    return [
        kind(observation_space=env.observation_space, action_space=env.action_space, seed=seed)
        for seed, kind in enumerate(KINDS)
    ]


@pytest.fixture(scope="module")
def undisturbed():
    env = CountingEnv(6)
    agents = agents_for(env)
    with SequentialTrainer(env=env, agents=agents, cfg=CFG) as trainer:
        trainer.train()
    return agents


@pytest.fixture
def at():
    yield lambda deeds: register(At(deeds), name="ray-tests-at")
    register(Nothing(), name="ray-tests-at")


def train(real, run_dir=None, **cfg):
    env = CountingEnv(6)
    agents = agents_for(env)
    settings = {**CFG, "islands": 3, "cpus": 0.5, "stretch": 50, **cfg}
    trainer = real.make(env, agents=agents, cfg=settings, run_dir=run_dir)
    return trainer, agents


def host_of(trainer):
    return trainer._executor._fleet._host


def kill_process(trainer, number):
    pid = int(re.search(r"process (\d+)", host_of(trainer).where(number))[1])
    os.kill(pid, signal.SIGKILL)
    return pid


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


def same(left, right):
    for one, other in zip(left, right, strict=True):
        assert_same_state(one.state_dict(), other.state_dict())


def test_a_killed_process_is_named_and_started_anew(real, at, undisturbed, tmp_path, caplog):
    trainer, agents = train(real, tmp_path, checkpoints={"interval": 400})
    killed, others = [], []

    def kill():
        others.extend(host_of(trainer).where(number) for number in (0, 2))
        killed.append(kill_process(trainer, 1))

    at({500: kill})
    with trainer:
        trainer.train()
        assert [host_of(trainer).where(number) for number in (0, 2)] == others
        again = host_of(trainer).where(1)
    same(undisturbed, agents)
    pids = [int(place.rpartition(" ")[2]) for place in (*others, again)]
    over = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < over:
        time.sleep(0.1)
    assert not any(map(alive, pids))
    assert ray.is_initialized()  # the cluster was there before
    (told,) = [text for text in caplog.messages if "is lost" in text]
    assert re.search(rf"island 1 \(global-draw-1\) on \S+, process {killed[0]} is lost: ", told)
    assert "started anew (1 of 3)" in told
    assert str(killed[0]) not in again


@pytest.mark.parametrize("seed", SEEDS)
def test_processes_killed_at_random(pooled, at, undisturbed, tmp_path, seed):
    draw = random.Random(seed)
    run_dir = tmp_path if seed % 2 else None
    trainer, agents = train(pooled, run_dir, checkpoints={"interval": draw.randrange(100, 700)})
    doomed = [(draw.randrange(1, STEPS - 100), draw.randrange(3)) for _ in range(3)]
    at({step: partial(kill_process, trainer, number) for step, number in doomed})
    with trainer:
        trainer.train()
    same(undisturbed, agents)


def test_without_restarts_the_run_ends_with_a_name(pooled, at):
    trainer, _ = train(pooled, restarts=0)
    at({500: lambda: kill_process(trainer, 1)})
    with trainer, pytest.raises(WorkerDied, match=r"agent 1 \('global-draw-1'\) died") as caught:
        trainer.train()
    assert caught.value.agent_name == "global-draw-1"


def test_a_lost_island_does_not_wait_for_room_that_is_gone(real, monkeypatch):
    """A cluster tells of the room of a dead node for a while."""
    host = RayHost(RayTrainerCfg(cpus=100, islands=1), members=1)  # nobody has so many
    host.prepare(1)
    told = [1, 1, 1]
    monkeypatch.setattr(host, "room", lambda: told.pop() if told else 0)
    host.start(0, b"", again=True)
    assert told == []
    try:
        over = time.monotonic() + 30
        while not host.where(0) and time.monotonic() < over:
            time.sleep(0.1)
        assert "process" in host.where(0)
    finally:
        host.close()


@pytest.mark.timeout(300)  # Ray takes its time to see that a node is gone
@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_killed_at_random(real, at, undisturbed, tmp_path, seed, caplog):
    """Islands of two nodes that are killed end up on the first, on what is left."""
    draw = random.Random(seed)
    nodes = [real.cluster.add_node(num_cpus=1, object_store_memory=real.store) for _ in range(2)]
    real.cluster.wait_for_nodes()
    left = list(nodes)

    def kill():
        node = left.pop(draw.randrange(len(left)))
        real.cluster.remove_node(node, allow_graceful=False)

    try:
        cfg = {"checkpoints": {"interval": 400}, "ahead": 3, "cpus": 1}
        trainer, agents = train(real, tmp_path, **cfg)
        at({draw.randrange(100, 600): kill, draw.randrange(700, 1100): kill})
        with trainer:
            trainer.train()
            placed = [host_of(trainer).where(number) for number in range(3)]
        assert not left
        same(undisturbed, agents)
        assert all(placed)
        assert [text for text in caplog.messages if "started anew" in text]
    finally:
        for node in left:
            real.cluster.remove_node(node)


def test_an_interrupted_run_goes_on_to_the_same_end(pooled, at, undisturbed, tmp_path):
    cfg = {"checkpoints": {"interval": 400}, "stretch": 20, "ahead": 3}
    trainer, _ = train(pooled, tmp_path, **cfg)
    at({700: lambda: os.kill(os.getpid(), signal.SIGINT)})
    with trainer, pytest.raises(TrainingInterrupted):
        trainer.train()
    trainer, agents = train(pooled, tmp_path / "next", **cfg)
    with trainer:
        done = trainer.resume(tmp_path)
        assert 700 <= done < STEPS
        trainer.train()
    same(undisturbed, agents)
