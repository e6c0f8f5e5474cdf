"""From an experiment to a run: the same one as by hand, and nothing left open."""

import json

import pytest
import torch

import coterie
from coterie import ConfigError, SequentialTrainer, WorkerRaised, build_experiment, run_experiment
from coterie.testing import CountingEnv, SumAgent


def experiment(*members, trainer="sequential", env_id="testing:Counting-v0", **settings):
    return {
        "environment": {"id": env_id, "num_envs": 6, "seed": 4, "settings": settings},
        "members": list(members) or [{"agent": "sum", "seeds": [1, 2]}],
        "trainer": {
            "name": trainer,
            "settings": {"timesteps": 10, "headless": True, "disable_progressbar": True},
        },
    }


def test_it_is_the_run_that_the_same_objects_give(made_envs):
    members = (
        {"agent": "sum", "name": "a", "seed": 3, "scope": 4},
        {"agent": "sum", "name": "b", "seed": 8, "scope": 2, "settings": {"scale": 0.5}},
    )
    trainer = build_experiment(experiment(*members))
    trainer.train()

    env = coterie.make_env("testing:Counting-v0", num_envs=6, seed=4)
    agents = [
        coterie.make_agent("sum", env=env, name="a", seed=3),
        coterie.make_agent("sum", env=env, name="b", seed=8, cfg={"scale": 0.5}),
    ]
    by_hand = SequentialTrainer(
        env=env,
        agents=agents,
        scopes=[4, 2],
        cfg={"timesteps": 10, "headless": True, "disable_progressbar": True},
    )
    by_hand.train()
    for built, made in zip(trainer.agents, agents, strict=True):
        assert isinstance(built, SumAgent)
        assert torch.equal(built.sum, made.sum)
        assert built.steps == 10


def test_it_is_written_beside_the_run_and_can_be_read_back(made_envs, tmp_path):
    run = tmp_path / "run"
    summary = run_experiment(experiment(), run_dir=run)
    assert [member.name for member in summary.members] == ["sum-s1", "sum-s2"]
    assert coterie.load_experiment(run / "experiment.json") == coterie.load_experiment(experiment())
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_the_environment_is_closed_after_the_run_and_after_a_failure(made_envs):
    run_experiment(experiment())
    with pytest.raises(WorkerRaised):
        run_experiment(experiment({"agent": "raising"}))
    assert [env.closed > 0 for env in made_envs] == [True, True]


class Failing(CountingEnv):
    def close(self):
        raise OSError("no window")


def test_a_failure_to_close_does_not_cost_the_run(made_envs, monkeypatch):
    monkeypatch.setattr(CountingEnv, "close", Failing.close)
    with pytest.warns(RuntimeWarning, match=r"Counting-v0 failed with OSError\('no window'\)"):
        summary = run_experiment(experiment())
    assert summary.timesteps == 10
    with (
        pytest.warns(RuntimeWarning, match="no window"),
        pytest.raises(WorkerRaised),
    ):
        run_experiment(experiment({"agent": "raising"}))


def test_the_environment_is_closed_when_building_fails(made_envs, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no")

    monkeypatch.setattr(SequentialTrainer, "__init__", fail)
    with pytest.raises(RuntimeError, match="no"):
        build_experiment(experiment())
    assert made_envs[0].closed == 1


def test_a_folder_that_is_taken_is_refused_before_anything_is_made(made_envs, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="nothing was overwritten"):
        build_experiment(experiment(), run_dir=tmp_path)
    assert made_envs == []
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_settings_of_the_environment_arrive(made_envs):
    build_experiment(experiment(reset_reward=0.25))
    assert made_envs[0]._reset_reward == 0.25


def test_a_trainer_that_the_caller_drives_is_built_but_not_run(made_envs):
    assert build_experiment(experiment(trainer="step")).train(timestep=0).rewards.shape == (6,)
    with pytest.raises(ConfigError, match="'sequential' does the same by itself"):
        run_experiment(experiment(trainer="step"))
