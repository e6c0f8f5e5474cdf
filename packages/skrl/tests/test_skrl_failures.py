"""What fails in a worker has a name, and costs the others nothing."""

import os
import signal
import warnings

import pytest
import torch
from skrl.utils import set_seed

import coterie
import coterie_backends_mp._warm
from coterie_skrl import ParallelTrainer, SequentialTrainer

CFG = {"timesteps": 24, "headless": True, "disable_progressbar": True}


def make(zoo, folder):
    set_seed(3)
    env = zoo.make_env("ppo", 8)
    return env, [zoo.make_agent("ppo", env, 4, folder, name=str(index)) for index in range(2)]


def break_at(agent, timestep, how):
    """Have an agent of skrl do something in its updates, from a timestep on."""
    update = agent.update

    def broken(*, timestep, timesteps):
        if timestep >= limit:
            how()
        update(timestep=timestep, timesteps=timesteps)

    limit = timestep
    agent.update = broken


def parameters(agent):
    return [p.detach().clone() for model in agent.models.values() for p in model.parameters()]


def fail():
    raise ArithmeticError("the numbers are gone")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("warm_server")
def test_an_exception_comes_home_with_its_traceback(zoo, tmp_path):
    env, agents = make(zoo, tmp_path)
    break_at(agents[1], 12, fail)
    trainer = ParallelTrainer(env=env, agents=agents, cfg=CFG)
    with pytest.raises(
        coterie.WorkerRaised, match=r"agent 1.*post_interaction at step 15"
    ) as found:
        trainer.train()
    assert "the numbers are gone" in str(found.value)
    assert "in fail" in found.value.remote_traceback


@pytest.mark.usefixtures("warm_server")
def test_a_worker_that_dies_is_named_at_once(zoo, tmp_path):
    env, agents = make(zoo, tmp_path)
    break_at(agents[0], 12, die)
    trainer = ParallelTrainer(env=env, agents=agents, cfg=CFG)
    with pytest.raises(coterie.WorkerDied, match=r"agent 0.*SIGKILL"):
        trainer.train()


@pytest.mark.usefixtures("warm_server")
def test_the_others_train_on_as_if_nothing_were(zoo, tmp_path):
    env, agents = make(zoo, tmp_path / "whole")
    SequentialTrainer(env=env, agents=agents, cfg=CFG).train()
    expected = parameters(agents[0])
    env, agents = make(zoo, tmp_path / "broken")
    break_at(agents[1], 4, die)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        trainer = ParallelTrainer(
            env=env, agents=agents, cfg={**CFG, "on_member_failure": "continue"}
        )
        summary = trainer.train()
        trainer.close()
    assert [row.status for row in summary.members] == ["trained", "failed"]
    assert all(map(torch.equal, expected, parameters(agents[0])))


def test_a_worker_says_nothing_of_schedulers(zoo, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(coterie_backends_mp._warm, "_idle", [])  # it would write elsewhere
    env, agents = make(zoo, tmp_path)
    trainer = ParallelTrainer(env=env, agents=agents, cfg=CFG)
    trainer.train()
    trainer.close()
    assert "lr_scheduler" not in capfd.readouterr().err
