"""A run that goes on from a checkpoint is the run that was not interrupted."""

import csv
import json
import warnings

import pytest
import torch
from gymnasium.vector import AutoresetMode

from coterie import (
    CheckpointCorrupt,
    CheckpointMismatch,
    CheckpointNotFound,
    CheckpointWriteError,
    ConfigError,
    SequentialTrainer,
    StepTrainer,
    TrainerStateError,
    TrainingInterrupted,
    WorkerRaised,
)
from coterie.plugins import hookimpl
from coterie.testing import (
    CountingEnv,
    CountingTeamEnv,
    GlobalDrawAgent,
    RaisingAgent,
    SumAgent,
    agents_for,
    assert_same_state,
)

CFG = {"timesteps": 40, "disable_progressbar": True, "metrics_interval": 5}
EVERY_10 = {"checkpoints": {"interval": 10, "keep": 9}}


class Forgetful(CountingEnv):
    """Can't save its state."""

    saves_state = False


def trainer_for(run=None, *, env=None, classes=(SumAgent, GlobalDrawAgent), kind=None, **more):
    env = env or CountingEnv(2 * len(classes))
    resume = more.pop("resume", False)
    return (kind or SequentialTrainer)(
        env=env,
        agents=agents_for(env, *classes),
        cfg={**CFG, **EVERY_10, **more},
        run_dir=run,
        resume=resume,
    )


def states(trainer):
    return [agent.state_dict() for agent in trainer.agents]


def rows(run):
    """What a run's metrics say, without how long it took."""
    with (run / "metrics.csv").open() as file:
        found = list(csv.reader(file))
    return [row[:2] + row[3:] for row in found if not row[4].startswith("time/")]


def checkpoint(run, step):
    return run / "checkpoints" / f"step-{step:012d}"


def interrupted(trainer, at):
    """Train until the environment breaks down at a timestep."""
    step, count = trainer.env.step, iter(range(1000))

    def broken(actions):
        if next(count) == at:
            raise OSError("the simulator broke down")
        return step(actions)

    trainer.env.step = broken
    with pytest.raises(OSError, match="broke down"):
        trainer.train()


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("at", [3, 10, 27])
def test_the_end_is_that_of_the_uninterrupted_run(tmp_path, mode, at):
    whole = trainer_for(tmp_path / "whole", env=CountingEnv(4, autoreset_mode=mode, state=True))
    whole.train()
    env = CountingEnv(4, autoreset_mode=mode, state=True)
    interrupted(trainer_for(tmp_path / "run", env=env), at)
    env = CountingEnv(4, autoreset_mode=mode, state=True, seed=5)
    trainer = trainer_for(tmp_path / "run", env=env, resume=True)
    assert trainer.timestep == at // 10 * 10
    assert trainer.unfinished
    summary = trainer.train()
    assert_same_state(states(whole), states(trainer))
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")
    assert (summary.timesteps, trainer.timestep, trainer.unfinished) == (40, 40, False)
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["status"] == "finished"
    assert [found["timestep"] for found in about["resumed"]] == [at // 10 * 10]
    # What follows is the same, too: nothing of the population was left out.
    whole.train()
    trainer.train()
    assert_same_state(states(whole), states(trainer))


def test_every_checkpoint_goes_on_alike(tmp_path):
    whole = trainer_for(tmp_path / "whole")
    whole.train()
    for step in (0, 10, 20, 30):
        trainer = trainer_for()
        assert trainer.resume(checkpoint(tmp_path / "whole", step)) == step
        trainer.train()
        assert_same_state(states(whole), states(trainer))


def test_checkpoints_change_nothing(tmp_path):
    with_them, without = trainer_for(tmp_path / "run"), trainer_for()
    with_them.train()
    without.train()
    assert_same_state(states(with_them), states(without))


def test_a_signal_leaves_a_checkpoint_at_its_timestep(tmp_path):
    whole = trainer_for()
    whole.train()
    trainer = trainer_for(tmp_path / "run", checkpoints={"interval": None})
    agent = trainer.agents[0]
    act = agent.act

    def signalled(*arguments, timestep, **more):
        if timestep == 17:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)
        return act(*arguments, timestep=timestep, **more)

    agent.act = signalled
    with pytest.raises(TrainingInterrupted, match="after step 18"):
        trainer.train()
    again = trainer_for(tmp_path / "run", resume=True)
    assert again.timestep == 18
    again.train()
    assert_same_state(states(whole), states(again))


def test_a_team_goes_on(tmp_path):
    from coterie.testing import SumTeam

    def team(run=None, **more):
        env = CountingTeamEnv(4)
        return trainer_for(run, env=env, classes=(SumTeam, SumTeam), **more)

    whole = team(tmp_path / "whole")
    whole.train()
    interrupted(team(tmp_path / "run"), 27)
    trainer = team(tmp_path / "run", resume=True)
    trainer.train()
    assert_same_state(states(whole), states(trainer))
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_a_member_that_failed_stays_out(tmp_path):
    def population(run, **more):
        env = CountingEnv(6)
        agents = agents_for(env, SumAgent, RaisingAgent, GlobalDrawAgent)
        agents[1].cfg = type(agents[1].cfg)(phase="act", at=12)
        cfg = {**CFG, **EVERY_10, "on_member_failure": "continue"}
        return SequentialTrainer(env=env, agents=agents, cfg=cfg, run_dir=run, **more)

    whole = population(tmp_path / "whole")
    whole.train()
    interrupted(population(tmp_path / "run"), 27)
    trainer = population(tmp_path / "run", resume=True)
    failed = trainer.members[1]
    assert (failed.status, type(failed.failure)) == ("failed", WorkerRaised)
    assert (failed.failure.phase, failed.failure.timestep) == ("act", 12)
    assert "act at step 12" in failed.failure.args[0]
    summary = trainer.train()
    assert [member.status for member in summary.members] == ["trained", "failed", "trained"]
    for index in (0, 2):
        assert_same_state(states(whole)[index], states(trainer)[index])
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_episodes_start_anew_where_the_environment_can_not_save_itself(tmp_path):
    interrupted(trainer_for(tmp_path / "run", env=Forgetful(4)), 27)
    with pytest.warns(RuntimeWarning, match="can't save its state: episodes start anew"):
        trainer = trainer_for(tmp_path / "run", env=Forgetful(4), resume=True)
    cuts = []
    trainer.agents[0].episodes_cut = lambda: cuts.append(trainer.timestep)
    trainer.train()
    assert (trainer.timestep, len(cuts)) == (40, 1)
    manifest = json.loads((checkpoint(tmp_path / "run", 20) / "MANIFEST.json").read_text())
    assert manifest["exact"] is False
    assert "testing:Counting can't save its state" in manifest["inexact"][0]


def test_nothing_is_loaded_that_does_not_fit(tmp_path):
    trainer_for(tmp_path / "run").train()
    env = CountingEnv(6, state=True)
    other = SequentialTrainer(
        env=env, agents=agents_for(env, GlobalDrawAgent, SumAgent, SumAgent), cfg=CFG
    )
    before = states(other)
    with pytest.raises(CheckpointMismatch) as caught:
        other.resume(tmp_path / "run")
    for part in (
        "environment, num_envs: the checkpoint has 4, here is 6",
        "environment, state_space: the checkpoint has None, here is Box",
        "member 'sum-0' is in the checkpoint only",
        "member 'sum-2' is here only",
    ):
        assert part in str(caught.value)
    assert_same_state(before, states(other))
    assert other.timestep == 0


def test_the_second_agent_that_does_not_fit_leaves_the_first_as_it_was(tmp_path):
    trainer_for(tmp_path / "run").train()
    other = trainer_for()
    before = states(other)

    def refuses(state):
        raise KeyError("weights")

    other.agents[1].load_state_dict = refuses
    with pytest.raises(
        CheckpointMismatch, match=r"member 'global-draw-1': members/global-draw-1.* KeyError"
    ):
        other.resume(tmp_path / "run")
    assert_same_state(before, states(other))
    del other.agents[1].load_state_dict
    fresh = trainer_for()
    fresh.train()
    other.train()
    assert_same_state(states(fresh), states(other))


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    run = tmp_path / "run"
    interrupted(trainer_for(run), 27)
    file = checkpoint(run, 20) / "members" / "sum-0.safetensors"
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.warns(RuntimeWarning, match=r"passing over .*sum-0.* is damaged: expected digest"):
        trainer = trainer_for(run, resume=True)
    assert trainer.timestep == 10
    with pytest.raises(CheckpointCorrupt, match="damaged"):
        trainer_for().resume(checkpoint(run, 20))
    trainer.train()
    whole = trainer_for(tmp_path / "whole")
    whole.train()
    assert_same_state(states(whole), states(trainer))
    assert rows(run) == rows(tmp_path / "whole")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer_for(run, resume=True)  # the damaged one was written anew


def test_going_on_from_an_earlier_one_takes_back_what_came_later(tmp_path):
    run = tmp_path / "run"
    trainer_for(run).train()
    whole = rows(run)
    trainer = trainer_for(run, resume=checkpoint(run, 10))
    interrupted(trainer, 15)
    steps = [int(path.name[5:]) for path in (run / "checkpoints").iterdir()]
    assert sorted(steps) == [0, 10, 20]
    assert max(int(row[0]) for row in rows(run)[1:]) == 25
    trainer_for(run, resume=True).train()
    assert rows(run) == whole


def test_a_run_without_a_checkpoint_begins(tmp_path):
    trainer = trainer_for(tmp_path / "run", resume=True)
    assert not trainer.unfinished
    trainer.train()
    assert trainer.timestep == 40
    again = trainer_for(tmp_path / "run", resume=True)
    assert (again.timestep, again.unfinished) == (40, False)
    again.train()
    assert again.timestep == 80


def test_a_run_can_be_made_longer(tmp_path):
    longer = trainer_for(timesteps=60)
    longer.train()
    trainer_for(tmp_path / "run").train()
    trainer = trainer_for(tmp_path / "run", resume=True)
    with pytest.raises(ConfigError, match="timesteps=40, but 40 are done already"):
        trainer.resume(timesteps=40)
    trainer.resume(timesteps=60)
    assert trainer.train().timesteps == 60
    assert_same_state(states(longer), states(trainer))


def test_a_checkpoint_at_any_time(tmp_path):
    trainer = trainer_for()
    assert trainer.save(tmp_path / "fresh") == tmp_path / "fresh"
    trainer.train()
    trainer.save(tmp_path / "trained")
    with pytest.raises(ConfigError, match="give the path"):
        trainer.save()
    with pytest.raises(CheckpointWriteError, match="there is something already"):
        trainer.save(tmp_path / "trained")
    trainer.train()
    fresh = trainer_for()
    assert fresh.resume(tmp_path / "fresh") == 0
    fresh.train()
    other = trainer_for()
    assert other.resume(tmp_path / "trained") == 40
    assert_same_state(states(fresh), states(other))
    other.train()
    assert_same_state(states(trainer), states(other))


def test_step_by_step(tmp_path):
    whole = trainer_for(tmp_path / "whole")
    whole.train()
    trainer = trainer_for(tmp_path / "run", kind=StepTrainer)
    for _ in range(17):
        trainer.train()
    assert trainer.save().name == "step-000000000017"
    with pytest.raises(TrainerStateError, match="is under way"):
        trainer.resume()
    again = trainer_for(kind=StepTrainer)
    other = trainer_for(tmp_path / "run", resume=True)
    with pytest.raises(CheckpointWriteError, match="somebody else is writing"):
        other.train()
    assert other.unfinished
    assert again.resume(checkpoint(tmp_path / "run", 17)) == 17
    for timestep in range(17, 40):
        again.train(timestep=timestep)
    assert_same_state(states(whole), states(again))


def test_what_is_kept(tmp_path):
    run = tmp_path / "run"
    trainer_for(run, checkpoints={"interval": 7, "keep": 3}).train()
    steps = sorted(int(path.name[5:]) for path in (run / "checkpoints").iterdir())
    assert steps == [28, 35, 40]
    newest = checkpoint(run, 40) / "members"
    for name in ("sum-0", "global-draw-1"):
        file = f"{name}.safetensors"
        assert (run / "agents" / file).read_bytes() == (newest / file).read_bytes()
        best = json.loads((run / "best" / f"{name}.json").read_text())
        assert best["timestep"] <= 40
        assert (run / "best" / file).exists()


def test_the_best_agent_is_that_of_the_highest_mean_return(tmp_path, plugged):
    run = tmp_path / "run"
    trainer = trainer_for(run)
    seen = {}

    class Watcher:
        @hookimpl
        def coterie_checkpoint_saved(self, path):
            mean = trainer._tracker.members[0].mean_return
            file = path / "members" / "sum-0.safetensors"
            seen[path.name] = (mean, file.read_bytes())

    with plugged(Watcher()):
        trainer.train()
    name, (mean, content) = max(
        ((name, found) for name, found in seen.items() if found[0] is not None),
        key=lambda item: item[1][0],
    )
    best = json.loads((run / "best" / "sum-0.json").read_text())
    assert best == {"timestep": int(name[5:]), "mean_return": mean}
    assert (run / "best" / "sum-0.safetensors").read_bytes() == content


def test_the_population_goes_back_after_a_failure(tmp_path, caplog):
    whole = trainer_for()
    whole.train()
    trainer = trainer_for(tmp_path / "run", on_member_failure="resume")
    agent, fails = trainer.agents[1], iter((True, True, False))
    act = agent.act

    def now_and_then(*arguments, timestep, **more):
        if timestep == 25 and next(fails):
            raise MemoryError("once more")
        return act(*arguments, timestep=timestep, **more)

    agent.act = now_and_then
    trainer.train()
    assert_same_state(states(whole), states(trainer))
    assert sum("going back to" in record.message for record in caplog.records) == 2


def test_the_population_does_not_go_back_for_ever(tmp_path):
    trainer = trainer_for(
        tmp_path / "run", on_member_failure="resume", checkpoints={"interval": 10, "retries": 2}
    )
    calls = []

    def never(*arguments, timestep, **more):
        calls.append(timestep)
        raise MemoryError("always")

    trainer.agents[1].act = never
    with pytest.raises(WorkerRaised, match="always"):
        trainer.train()
    assert len(calls) == 3


def test_there_is_nothing_to_go_on_with(tmp_path):
    with pytest.raises(ConfigError, match="this trainer has no run_dir"):
        trainer_for().resume()
    with pytest.raises(ConfigError, match="give a run_dir"):
        trainer_for(resume=True)
    with pytest.raises(CheckpointNotFound, match="there is no folder"):
        trainer_for().resume(tmp_path / "nowhere")
    with pytest.raises(CheckpointNotFound, match="there is no checkpoint"):
        trainer_for().resume(tmp_path)


def test_no_checkpoints(tmp_path):
    trainer_for(tmp_path / "run", checkpoints={"keep": 0}).train()
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert len(list((tmp_path / "run" / "agents").iterdir())) == 2


def test_a_checkpoint_can_be_looked_at_by_its_owner_only(tmp_path):
    trainer_for(tmp_path / "run").train()
    folder = checkpoint(tmp_path / "run", 40)
    for path in (folder, folder / "members"):
        assert path.stat().st_mode & 0o777 == 0o700


def test_other_versions_are_told(tmp_path, monkeypatch):
    trainer_for(tmp_path / "run").train()
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    with pytest.warns(RuntimeWarning, match=f"torch had {threads} threads and has {threads + 1}"):
        trainer_for().resume(tmp_path / "run")


def test_a_checkpoint_between_two_timesteps_needs_a_path(tmp_path):
    trainer = trainer_for(kind=StepTrainer)
    trainer.train()
    with pytest.raises(ConfigError, match="give the path"):
        trainer.save()
    assert trainer.save(tmp_path / "one") == tmp_path / "one"
    assert trainer_for().resume(tmp_path / "one") == 1


def test_going_back_needs_checkpoints(tmp_path):
    with pytest.raises(ConfigError, match="give a run_dir"):
        trainer_for(on_member_failure="resume")
    with pytest.raises(ConfigError, match=r"give a checkpoints\.keep of at least 1"):
        trainer_for(tmp_path / "run", on_member_failure="resume", checkpoints={"keep": 0})


def test_what_a_kill_at_the_very_end_left_is_tidied_up(tmp_path):
    run = tmp_path / "run"
    trainer_for(run).train()
    (run / ".run.json.new").write_text("{")
    with pytest.raises(ConfigError, match="holds another run"):
        trainer_for(run)
    assert (run / ".run.json.new").exists()
    assert not trainer_for(run, resume=True).unfinished
    assert not (run / ".run.json.new").exists()
