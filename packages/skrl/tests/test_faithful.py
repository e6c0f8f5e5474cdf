"""One agent under skrl's trainer and under ours: the same, bit for bit."""

import pytest
import torch
from skrl.trainers.torch import SequentialTrainer as SkrlSequentialTrainer
from skrl.trainers.torch import StepTrainer as SkrlStepTrainer
from skrl.utils import set_seed

from coterie_skrl import SequentialTrainer, StepTrainer

TIMESTEPS = 30
CFG = {"timesteps": TIMESTEPS, "headless": True, "disable_progressbar": True}
KINDS = (
    "a2c", "a2c_rnn", "amp", "cem", "ddpg", "ddpg_rnn", "ddqn", "dqn", "ppo", "ppo_discrete",
    "ppo_rnn", "ppo_states", "q_learning", "rpo", "rpo_rnn", "sac", "sac_rnn", "sarsa", "td3",
    "td3_rnn", "trpo", "trpo_rnn", "ippo", "mappo",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_faithful_is_what_skrl_does(kind, zoo, tmp_path):
    ends = []
    for trainer, use in ((SkrlSequentialTrainer, {}), (SequentialTrainer, {"faithful": True})):
        set_seed(3)
        env = zoo.env_for(kind)
        agent = zoo.make_agent(kind, env, 4, tmp_path)
        before = zoo.everything(agent)
        trainer(env=env, agents=agent, cfg=dict(CFG), **use).train()
        ends.append(zoo.everything(agent))
        assert len(zoo.differences(before, ends[-1])) > 3
    assert zoo.differences(*ends) == []


@pytest.mark.parametrize("kind", ["trpo", "dqn", "ddpg_rnn"])
def test_faithful_steps_are_those_of_skrl(kind, zoo, tmp_path):
    ends, told = [], []
    for trainer, use in ((SkrlStepTrainer, {}), (StepTrainer, {"faithful": True})):
        set_seed(3)
        env = zoo.env_for(kind)
        agent = zoo.make_agent(kind, env, 4, tmp_path)
        running = trainer(env=env, agents=[agent], cfg=dict(CFG), **use)
        told.append([running.train(timestep=timestep)[:4] for timestep in range(TIMESTEPS)])
        ends.append(zoo.everything(agent))
    assert zoo.differences(*ends) == []
    for left, right in zip(*told, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(left, right, strict=True))


@pytest.mark.parametrize("kind", ["ppo", "dqn", "sac_rnn"])
def test_faithful_again(kind, zoo, tmp_path):
    """A second training counts from 0, and goes on with the episodes."""
    ends = []
    for trainer, use in ((SkrlSequentialTrainer, {}), (SequentialTrainer, {"faithful": True})):
        set_seed(3)
        env = zoo.make_env(kind)
        agent = zoo.make_agent(kind, env, 4, tmp_path, write=100, checkpoint=0)
        running = trainer(env=env, agents=agent, cfg={**CFG, "timesteps": 13}, **use)
        running.train()
        running.train()
        ends.append(zoo.everything(agent))
    assert zoo.differences(*ends) == []


@pytest.mark.parametrize("kind", ["ppo", "amp", "sac"])
def test_faithful_where_all_draw_from_one_generator(kind, zoo, tmp_path):
    """The environment draws from torch's generator, too, as simulators on a GPU do."""
    ends = []
    for trainer, use in ((SkrlSequentialTrainer, {}), (SequentialTrainer, {"faithful": True})):
        set_seed(3)
        env = zoo.env_for(kind)
        reset, step = env.reset, env.step
        env.reset = lambda reset=reset: (reset()[0] + torch.rand(4, 3) / 10, {})
        env.step = lambda actions, step=step: step(actions + torch.rand(4, 2) / 10)
        agent = zoo.make_agent(kind, env, 4, tmp_path)
        trainer(env=env, agents=agent, cfg=dict(CFG), **use).train()
        ends.append(zoo.everything(agent))
    assert zoo.differences(*ends) == []
