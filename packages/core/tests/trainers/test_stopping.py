"""Members that stop before the run ends."""

import json

import pytest

from coterie import ConfigError, SequentialTrainer, StepTrainer
from coterie.plugins import hookimpl
from coterie.testing import CountingEnv, GlobalDrawAgent, SumAgent, agents_for, assert_same_state

CFG = {"timesteps": 60, "disable_progressbar": True, "metrics_interval": 5}


def trainer_for(kind=SequentialTrainer, run_dir=None, resume=False, **cfg):
    env = CountingEnv(6)
    agents = agents_for(env, SumAgent, GlobalDrawAgent, SumAgent)
    return kind(env=env, agents=agents, cfg={**CFG, **cfg}, run_dir=run_dir, resume=resume)


@pytest.fixture
def stops(plugged):
    """Stop members by name and timestep, for the length of a test."""
    wanted, asked = {}, []

    class Plugin:
        @hookimpl
        def coterie_should_stop(self, progress):
            asked.append((progress.member.name, progress.timestep))
            if progress.timestep >= wanted.get(progress.member.name, 10**9):
                return "enough"
            return None

    wanted["asked"] = asked
    with plugged(Plugin()):
        yield wanted


def test_a_stopped_member_keeps_what_it_learned_and_the_others_go_on(stops, tmp_path):
    short, whole = trainer_for(timesteps=20), trainer_for()
    short.train()
    whole.train()
    stops["global-draw-1"] = 20
    trainer = trainer_for(run_dir=tmp_path / "run")
    summary = trainer.train()
    assert [member.status for member in summary.members] == ["trained", "stopped", "trained"]
    assert summary.members[1].stopped == "enough"
    assert "global-draw-1: stopped, enough" in str(summary)
    for index in (0, 2):
        assert_same_state(whole.agents[index].state_dict(), trainer.agents[index].state_dict())
    assert trainer.agents[1].steps == 20
    assert summary.members[1].episodes == short._tracker.members[1].count
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    own = [line.split(",") for line in lines if ",global-draw-1," in line]
    assert {row[4] for row in own if int(row[0]) > 20} == {"stopped"}


def test_stopped_members_are_evaluated_like_the_others(stops):
    stops["sum-0"] = 10
    trainer = trainer_for()
    trainer.train()
    summary = trainer.eval()
    assert [member.status for member in summary.members] == ["evaluated"] * 3
    assert summary.members[0].stopped is None
    assert trainer.members[0].status == "stopped"


def test_the_run_ends_when_nobody_is_left(stops):
    stops.update({"sum-0": 10, "global-draw-1": 15, "sum-2": 30})
    trainer = trainer_for()
    summary = trainer.train()
    assert (summary.timesteps, trainer.timestep) == (30, 30)
    assert [member.status for member in summary.members] == ["stopped"] * 3
    assert [agent.steps for agent in trainer.agents] == [10, 15, 30]
    names = {name for name, timestep in stops["asked"] if timestep > 15}
    assert names == {"sum-2"}


def test_everybody_takes_part_again(stops):
    stops["sum-0"] = 10
    trainer = trainer_for()
    trainer.train()
    stops.pop("sum-0")
    trainer.train()
    assert [agent.steps for agent in trainer.agents] == [70, 120, 120]


def test_a_stopped_member_stays_stopped_after_a_resume(stops, tmp_path):
    stops["global-draw-1"] = 20
    whole = trainer_for(run_dir=tmp_path / "whole", checkpoints={"interval": 10, "keep": 9})
    whole.train()
    trainer = trainer_for()
    trainer.resume(tmp_path / "whole" / "checkpoints" / "step-000000000030")
    assert [member.status for member in trainer.members] == ["active", "stopped", "active"]
    assert trainer.members[1].reason == "enough"
    assert trainer.agents[1].steps == 20
    summary = trainer.train()
    assert summary.members[1].stopped == "enough"
    for left, right in zip(whole.agents, trainer.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_step_by_step(stops):
    stops.update({"sum-0": 10, "global-draw-1": 10, "sum-2": 15})
    trainer = trainer_for(StepTrainer)
    for _ in range(15):
        trainer.train()
    assert [member.status for member in trainer.summary.members] == ["stopped"] * 3
    trainer.train()  # another run
    assert all(member.active for member in trainer.members)


def test_the_target_return():
    trainer = trainer_for(stop={"target_return": 6.0, "episodes": 3})
    summary = trainer.train()
    assert {member.status for member in summary.members} == {"stopped"}
    for member in summary.members:
        assert member.mean_return >= 6.0
        assert member.episodes >= 3
        assert "has reached 6" in member.stopped


def test_the_target_is_not_looked_at_before_there_are_enough_episodes():
    summary = trainer_for(stop={"target_return": -1e9, "episodes": 10_000}).train()
    assert {member.status for member in summary.members} == {"trained"}


def test_a_plateau_and_what_is_remembered_of_it(tmp_path):
    cfg = {"stop": {"plateau": 10, "episodes": 1}, "checkpoints": {"interval": 5, "keep": 99}}
    whole = trainer_for(run_dir=tmp_path / "whole", timesteps=400, **cfg)
    summary = whole.train()
    assert summary.timesteps < 400
    assert all("has not risen above" in member.stopped for member in summary.members)
    newest = sorted((tmp_path / "whole" / "checkpoints").iterdir())
    for path in newest[1:-1:3]:
        trainer = trainer_for(timesteps=400, **cfg)
        trainer.resume(path)
        again = trainer.train()
        assert [m.stopped for m in again.members] == [m.stopped for m in summary.members]
        for left, right in zip(whole.agents, trainer.agents, strict=True):
            assert_same_state(left.state_dict(), right.state_dict())


def test_time():
    summary = trainer_for(stop={"minutes": 1e-9}).train()
    assert summary.timesteps == 5
    assert summary.members[0].stopped == "1e-09 minutes have passed"


def test_checkpoints_do_not_move_the_end(stops, tmp_path):
    stops["sum-0"] = 10
    left = trainer_for(run_dir=tmp_path / "run", checkpoints={"interval": 3})
    right = trainer_for()
    for trainer in (left, right):
        trainer.train()
    for one, other in zip(left.agents, right.agents, strict=True):
        assert_same_state(one.state_dict(), other.state_dict())
    about = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert about["members"][0]["stopped"] == "enough"


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ({"plateau": 0}, "plateau"),
        ({"minutes": 0}, "minutes"),
        ({"target": 4}, "target_return"),
        ({"episodes": 0}, "episodes"),
    ],
)
def test_wrong_rules(stop, words):
    with pytest.raises(ConfigError, match=words):
        trainer_for(stop=stop)
