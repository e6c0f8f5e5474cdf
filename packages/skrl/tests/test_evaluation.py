"""Evaluation: it explores nothing, learns nothing, and leaves no trace in agent or checkpoints."""

import copy
import os

import pytest
import torch
from skrl.trainers.torch import SequentialTrainer as SkrlSequentialTrainer
from skrl.utils import set_seed

from coterie.testing import assert_same_state
from coterie_skrl import SequentialTrainer, StepTrainer, adapt

KINDS = ("amp", "cem", "ddpg", "dqn", "ppo_rnn", "ppo_states", "sac_rnn", "sarsa", "trpo", "mappo")


def cfg(timesteps, **settings):
    return {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **settings}


def files_below(folder):
    return {
        os.path.join(place, name): os.path.getmtime(os.path.join(place, name))
        for place, _, names in os.walk(folder)
        for name in names
    }


@pytest.mark.parametrize("kind", KINDS)
def test_it_leaves_the_agent_as_it_was(kind, zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for(kind)
    agent = zoo.make_agent(kind, env, 4, tmp_path, name="run")
    trainer = SequentialTrainer(env=env, agents=agent, cfg=cfg(19))
    trainer.train()
    before = zoo.everything(agent)
    state = copy.deepcopy(trainer.trainer.agents[0].state_dict())
    kept = files_below(tmp_path / "run" / "checkpoints")
    trainer.eval()
    assert zoo.differences(before, zoo.everything(agent)) == []
    assert_same_state(state, trainer.trainer.agents[0].state_dict())
    assert files_below(tmp_path / "run" / "checkpoints") == kept


@pytest.mark.parametrize("kind", ["amp", "ddpg", "dqn", "ppo_rnn"])
@pytest.mark.parametrize("when", ["before", "between"])
def test_training_is_the_same_with_it(kind, when, zoo, tmp_path):
    ends = []
    for evaluated in (False, True):
        set_seed(3)
        env = zoo.env_for(kind)
        agent = zoo.make_agent(kind, env, 4, tmp_path)
        trainer = SequentialTrainer(env=env, agents=agent, cfg=cfg(13))
        for _ in range(2):
            if evaluated and (when == "before") == (trainer.trainer.timestep == 0):
                trainer.eval()
            elif when == "between" and trainer.trainer.timestep:
                trainer.trainer._boundary.abandon()  # the other's episodes were cut, too
            trainer.train()
        ends.append(zoo.everything(agent))
    assert zoo.differences(*ends) == []


@pytest.mark.parametrize("kind", ["ppo", "ppo_rnn", "sac_rnn", "mappo"])
def test_with_a_trainer_of_its_own(kind, zoo, tmp_path):
    """Nor does a second trainer, for the evaluation or for more training, forget anything."""
    set_seed(3)
    env = zoo.env_for(kind)
    agent = zoo.make_agent(kind, env, 4, tmp_path, name="run")
    SequentialTrainer(env=env, agents=agent, cfg=cfg(13)).train()
    before = zoo.everything(agent)
    SequentialTrainer(env=env, agents=agent, cfg=cfg(13)).eval()
    assert zoo.differences(before, zoo.everything(agent)) == []
    rollout = getattr(agent, "_rollout", 0)
    SequentialTrainer(env=env, agents=agent, cfg=cfg(3)).train()
    assert kind == "sac_rnn" or agent._rollout == rollout + 3 == 16


def test_its_events_have_a_folder_of_their_own(zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for("ppo")
    agent = zoo.make_agent("ppo", env, 4, tmp_path, name="run")
    trainer = SequentialTrainer(env=env, agents=agent, cfg=cfg(20))
    trainer.train()
    training = {name for name in files_below(tmp_path) if "tfevents" in name}
    assert {os.path.dirname(name) for name in training} == {str(tmp_path / "run")}
    sizes = {name: os.path.getsize(name) for name in training}
    trainer.eval()
    found = {name for name in files_below(tmp_path) if "tfevents" in name} - training
    assert {os.path.dirname(name) for name in found} == {str(tmp_path / "run" / "eval")}
    tags = tags_of(tmp_path / "run" / "eval")
    assert "Reward / Total reward (mean)" in tags
    assert not any(tag.startswith("Loss") for tag in tags)
    assert sizes == {name: os.path.getsize(name) for name in training}


def tags_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return set(events.Tags()["scalars"])


def test_a_mean_action_is_taken(zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for("ppo")
    member = adapt(zoo.make_agent("ppo", env, 4, tmp_path, observation_preprocessor=None))
    member.setup(4)
    member.enable_training_mode(False)
    observed = torch.randn(4, 3)
    with torch.no_grad():
        actions = member.act(observed, timestep=0, timesteps=9, deterministic=True)
        drawn = member.act(observed, timestep=0, timesteps=9, deterministic=False)
        mean, _ = member.agent.policy.compute({"observations": observed})
    assert torch.equal(actions, mean)
    assert not torch.equal(drawn, mean)


def test_the_most_probable_action_is_taken(zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for("cem")
    member = adapt(zoo.make_agent("cem", env, 4, tmp_path, observation_preprocessor=None))
    member.setup(4)
    member.enable_training_mode(False)
    observed = torch.randn(4, 3)
    with torch.no_grad():
        actions = member.act(observed, timestep=0, timesteps=9, deterministic=True)
        scores, _ = member.agent.policy.compute({"observations": observed})
    assert torch.equal(actions, scores.argmax(-1))


@pytest.mark.parametrize("kind", ["ddpg", "td3", "dqn"])
def test_nothing_is_explored(kind, zoo, tmp_path):
    """No noise, no epsilon, none of the random actions that training begins with."""
    set_seed(3)
    env = zoo.env_for(kind)
    member = adapt(zoo.make_agent(kind, env, 4, tmp_path, observation_preprocessor=None))
    member.setup(4)
    member.enable_training_mode(False)
    observed = torch.randn(4, 3)
    with torch.no_grad():
        actions = member.act(observed, timestep=0, timesteps=9, deterministic=True)
        policy = member.agent.models["q_network" if kind == "dqn" else "policy"]
        found, _ = policy.compute({"observations": observed})
    best = found.argmax(-1) if kind == "dqn" else found
    assert torch.equal(actions, best)
    assert member.agent.cfg.random_timesteps == 5
    if kind == "dqn":
        assert member.agent.cfg.exploration_scheduler is not None
    else:
        assert member.agent._exploration_noise is not None


@pytest.mark.parametrize("kind", ["ppo", "dqn", "sac", "sac_rnn", "mappo"])
def test_a_faithful_one_is_what_skrl_does(kind, zoo, tmp_path):
    """The same actions, so the same rewards, after the same training."""
    ends = []
    for trainer, use in ((SkrlSequentialTrainer, {}), (SequentialTrainer, {"faithful": True})):
        set_seed(3)
        env = zoo.env_for(kind)
        agent = zoo.make_agent(kind, env, 4, tmp_path, write=0, checkpoint=0)
        running = trainer(env=env, agents=agent, cfg=cfg(13), **use)
        running.train()
        seen, step = [], env.step

        def spy(actions, seen=seen, step=step):
            seen.append(actions)
            return step(actions)

        env.step = spy
        running.eval()
        ends.append(seen)
    assert len(ends[0]) == 13
    for one, other in zip(*ends, strict=True):
        if isinstance(one, dict):
            one, other = (torch.cat(list(part.values()), 1) for part in (one, other))
        assert torch.equal(one, other)


def test_recurrent_agents_forget_at_the_end_of_an_episode(zoo, tmp_path):
    """Separate recurrent networks for policy and value, with which skrl's evaluation raises."""
    set_seed(3)
    env = zoo.env_for("ppo_rnn", steps=4)
    agent = zoo.make_agent("ppo_rnn", env, 4, tmp_path)
    hidden, act = [], agent.policy.act

    def spy(inputs, role=""):
        hidden.append(inputs["rnn"][0].clone())
        return act(inputs, role=role)

    agent.policy.act = spy
    SequentialTrainer(env=env, agents=agent, cfg=cfg(9)).eval()
    zero = [bool((state == 0).all()) for state in hidden]
    assert zero == [step % 4 == 0 for step in range(9)]


def test_step_by_step(zoo, tmp_path):
    set_seed(3)
    env = zoo.env_for("ppo")
    agent = zoo.make_agent("ppo", env, 4, tmp_path)
    trainer = StepTrainer(env=env, agents=[agent], cfg=cfg(12))
    for _ in range(12):
        trainer.train()
    before = zoo.everything(agent)
    for timestep in range(12):
        found = trainer.eval(timestep=timestep, timesteps=12)
    assert [tuple(part.shape) for part in found[:4]] == [(4, 3), (4, 1), (4, 1), (4, 1)]
    assert zoo.differences(before, zoo.everything(agent)) == []
