"""skrl's events and checkpoints: where it writes them, with what it writes."""

import os

import pytest
import torch
from skrl.trainers.torch import SequentialTrainer as SkrlSequentialTrainer
from skrl.utils import set_seed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from coterie_skrl import ParallelTrainer, SequentialTrainer


def cfg(timesteps, **settings):
    return {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **settings}


def scalars(folder):
    """Steps and values by tag, but for durations."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, None if tag.startswith("Stats") else event.value) for event in found]
        for tag in events.Tags()["scalars"]
        for found in [events.Scalars(tag)]
    }


def below(folder):
    return sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
        if "tfevents" not in name
    )


@pytest.mark.parametrize(
    ("kind", "interval"), [("ppo", 10), ("sac", 10), ("mappo", 10), ("dqn", "auto")]
)
def test_faithful_files_are_those_of_skrl(kind, interval, zoo, tmp_path):
    timesteps = 40 if interval == 10 else 200
    for name in ("skrl", "ours"):
        set_seed(3)
        env = zoo.env_for(kind)
        agent = zoo.make_agent(
            kind, env, 4, tmp_path, name=name, write=interval, checkpoint=interval
        )
        if name == "skrl":
            SkrlSequentialTrainer(env=env, agents=agent, cfg=cfg(timesteps)).train()
            agent.writer.close()
        else:
            SequentialTrainer(env=env, agents=agent, cfg=cfg(timesteps), faithful=True).train()
    assert below(tmp_path / "skrl") == below(tmp_path / "ours")
    assert len(below(tmp_path / "ours")) > 3
    one, other = (scalars(tmp_path / name) for name in ("skrl", "ours"))
    assert one == other
    for file in below(tmp_path / "skrl"):
        found = [{}, {}]
        for name, into in zip(("skrl", "ours"), found, strict=True):
            state = torch.load(tmp_path / name / file, weights_only=False)
            zoo._look(state, "", into, {})
        assert zoo.differences(*found) == []


def test_skrl_loads_the_checkpoints(zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for("sac")
    agent = zoo.make_agent("sac", env, 4, tmp_path, name="run")
    SequentialTrainer(env=env, agents=agent, cfg=cfg(40)).train()
    fresh = zoo.make_agent("sac", env, 4, tmp_path, name="other")
    fresh.load(str(tmp_path / "run" / "checkpoints" / "agent_40.pt"))
    for name, module in agent.checkpoint_modules.items():
        found = [{}, {}]
        for state, into in zip((module, fresh.checkpoint_modules[name]), found, strict=True):
            zoo._look(state.state_dict(), name, into, {})
        assert zoo.differences(*found) == []


@pytest.mark.usefixtures("warm_server")
@pytest.mark.parametrize("trainer", [SequentialTrainer, ParallelTrainer])
def test_agents_of_one_name_write_to_folders_of_their_own(trainer, zoo, tmp_path, caplog):
    set_seed(3)
    env = zoo.env_for("ppo", 12)
    agents = [zoo.make_agent("ppo", env, 4, tmp_path, name="run") for _ in range(3)]
    use = {"processes": 1} if trainer is ParallelTrainer else {}
    running = trainer(env=env, agents=agents, cfg=cfg(20, **use))
    running.train()
    running.eval()
    running.close()
    folders = [agent.experiment_dir for agent in agents]
    assert len({os.path.abspath(folder) for folder in folders}) == 3
    assert "agents[1] would write to" in caplog.text
    for folder in folders:
        assert below(folder) == ["checkpoints/agent_20.pt", "checkpoints/best_agent.pt"]
        for written in (scalars(folder), scalars(f"{folder}/eval")):
            assert [step for step, _ in written["Reward / Total reward (mean)"]] == [10, 20]
    first, second = (scalars(folder)["Loss / Policy loss"] for folder in folders[:2])
    assert first != second


def test_a_second_training_goes_on_in_the_same_folder(zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for("ppo")
    agent = zoo.make_agent("ppo", env, 4, tmp_path, name="run")
    trainer = SequentialTrainer(env=env, agents=agent, cfg=cfg(20))
    trainer.train()
    trainer.train()
    assert below(tmp_path / "run") == [
        "checkpoints/agent_20.pt",
        "checkpoints/agent_40.pt",
        "checkpoints/best_agent.pt",
    ]
    steps = [step for step, _ in scalars(tmp_path / "run")["Reward / Total reward (mean)"]]
    assert steps == [10, 20, 30, 40]


def test_without_intervals_nothing_is_written(zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for("ppo")
    agent = zoo.make_agent("ppo", env, 4, tmp_path, name="run", write=0, checkpoint=0)
    trainer = SequentialTrainer(env=env, agents=agent, cfg=cfg(20))
    trainer.train()
    trainer.eval()
    assert os.listdir(tmp_path) == []
    assert agent.tracking_data == {}


def test_metrics_of_the_agent_are_those_of_the_run(zoo, tmp_path):
    """What the agent tracks is in Coterie's metrics too, whether or not it writes itself."""
    for kind, write in (("ppo", 0), ("ppo", 7), ("sac", 0)):
        set_seed(3)
        env = zoo.env_for(kind)
        agent = zoo.make_agent(kind, env, 4, tmp_path, write=write, checkpoint=0)
        folder = tmp_path / f"{kind} every {write}"
        SequentialTrainer(
            env=env, agents=agent, cfg=cfg(16, metrics_interval=8), run_dir=folder
        ).train()
        found = (folder / "metrics.csv").read_text()
        assert "loss/policy_loss" in found
        assert "stats/inference_time_ms" in found
        assert "reward/" not in found  # the run counts those itself
