"""The trainer that its caller drives."""

import json

import pytest
import torch

from coterie import SequentialTrainer, StepTrainer, TrainerStateError, Transition, WorkerRaised
from coterie._state import read_state
from coterie.testing import (
    CountingEnv,
    GlobalDrawAgent,
    RaisingAgent,
    SumAgent,
    agents_for,
    assert_same_state,
    nothing_global,
)

STEPS = 15
QUIET = {"timesteps": STEPS, "disable_progressbar": True, "metrics_interval": 5}


def stepper(*classes, num_envs=6, **arguments):
    env = CountingEnv(num_envs)
    agents = agents_for(env, *classes)
    return StepTrainer(env=env, agents=agents, **{"cfg": QUIET, **arguments})


def without_times(path):
    """Rows of metrics.csv but for the time that they were written at, and for how long it took."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    return [row[:2] + row[3:] for row in rows if not row[4].startswith("time/")]


def test_it_equals_sequential_bit_for_bit(tmp_path):
    env = CountingEnv(6)
    agents = agents_for(env, SumAgent, GlobalDrawAgent)
    whole = SequentialTrainer(env=env, agents=agents, cfg=QUIET, run_dir=tmp_path / "whole")
    expected = whole.train()
    trainer = stepper(SumAgent, GlobalDrawAgent, run_dir=tmp_path / "steps")
    with nothing_global():
        for timestep in range(STEPS):
            assert trainer.summary is None
            trainer.train(timestep=timestep)
    for left, right in zip(agents, trainer.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
    for left, right in zip(expected.members, trainer.summary.members, strict=True):
        assert (left.episodes, left.mean_return) == (right.episodes, right.mean_return)
    files = [tmp_path / run / "metrics.csv" for run in ("whole", "steps")]
    assert without_times(files[0]) == without_times(files[1])
    for name in ("sum-0", "global-draw-1"):
        saved = [
            read_state(tmp_path / run / "agents" / f"{name}.safetensors")
            for run in ("whole", "steps")
        ]
        assert_same_state(saved[0][0], saved[1][0])


def test_it_returns_the_step_of_the_whole_environment():
    trainer = stepper(SumAgent, SumAgent)
    first, second = trainer.train(), trainer.train()
    assert isinstance(first, Transition)
    assert first.observations.shape == (6, 3)
    assert first.rewards.shape == first.terminated.shape == (6,)
    assert torch.equal(first.observations[:, 2], torch.zeros(6))
    assert torch.equal(first.next_observations, second.observations)


def test_the_timestep_is_checked_before_anything_starts(tmp_path):
    trainer = stepper(SumAgent, run_dir=tmp_path / "run")
    with pytest.raises(TrainerStateError, match="the next timestep is 0, got timestep=3"):
        trainer.train(timestep=3)
    assert not (tmp_path / "run").exists()
    trainer.train(timestep=0)
    for wrong in (0, 2):
        with pytest.raises(
            TrainerStateError, match=f"the next timestep is 1, got timestep={wrong}"
        ):
            trainer.train(timestep=wrong)
    trainer.train(timestep=1)
    trainer.close()


def test_a_second_run_goes_on():
    trainer = stepper(SumAgent)
    for timestep in range(2 * STEPS):
        trainer.train(timestep=timestep)
    env = CountingEnv(6)
    (agent,) = agents_for(env, SumAgent)
    cfg = {**QUIET, "timesteps": 2 * STEPS}
    SequentialTrainer(env=env, agents=agent, cfg=cfg).train()
    assert_same_state(agent.state_dict(), trainer.agents[0].state_dict())


def test_ending_early(tmp_path):
    trainer = stepper(SumAgent, run_dir=tmp_path / "run")
    assert trainer.finish() is None
    for _ in range(7):
        trainer.train()
    summary = trainer.finish()
    assert summary.timesteps == 7
    assert summary.members[0].status == "interrupted"
    assert trainer.finish() is summary
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert (tmp_path / "run" / "agents" / "sum-0.safetensors").exists()
    trainer.train(timestep=7)
    trainer.close()
    assert trainer.summary.timesteps == 1
    with pytest.raises(TrainerStateError, match="closed"):
        trainer.train()


def test_an_early_end_is_exact():
    """A run that was ended early goes on as if it had not been."""
    trainer = stepper(SumAgent, GlobalDrawAgent)
    for timestep in range(STEPS):
        if timestep in (3, 4, 11):
            trainer.finish()
        trainer.train(timestep=timestep)
    whole = stepper(SumAgent, GlobalDrawAgent)
    for _ in range(STEPS):
        whole.train()
    for left, right in zip(whole.agents, trainer.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_switching_to_evaluation_and_back(tmp_path):
    trainer = stepper(SumAgent, run_dir=tmp_path / "run")
    for _ in range(4):
        trainer.train()
    before = trainer.agents[0].state_dict()
    first = trainer.eval(timestep=0)
    assert torch.equal(first.observations[:, 2], torch.zeros(6))
    assert trainer.summary.mode == "train"
    for timestep in range(1, STEPS):
        trainer.eval(timestep=timestep)
    assert trainer.summary.mode == "eval"
    assert_same_state(before, trainer.agents[0].state_dict())
    again = trainer.train(timestep=4)
    assert torch.equal(again.observations[:, 2], torch.zeros(6))
    assert trainer.agents[0].steps == 5
    trainer.close()
    assert len(list((tmp_path / "run" / "evaluations").iterdir())) == 1


def test_a_member_that_fails():
    env = CountingEnv(4)
    agents = [*agents_for(env, SumAgent), *agents_for(env, RaisingAgent, cfg={"at": 2})]
    trainer = StepTrainer(env=env, agents=agents, cfg=QUIET)
    trainer.train()
    trainer.train()
    with pytest.raises(WorkerRaised, match="out of ideas"):
        trainer.train()
    agents[1].cfg = type(agents[1].cfg)(at=-1)
    trainer.train()
    assert agents[1].steps > 0


def test_inside_itself():
    trainer = stepper(SumAgent)
    agent = trainer.agents[0]
    agent.post_interaction = lambda **_: trainer.train()
    with pytest.raises(WorkerRaised, match="this trainer is running"):
        trainer.train()
