"""Members have seeds and random streams of their own, and change nothing of the process."""

import random

import numpy as np
import pytest
import torch
from skrl.utils import set_seed

import coterie
from coterie.testing import nothing_global
from coterie_skrl import SequentialTrainer, adapt


def cfg(timesteps, **settings):
    return {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **settings}


def equal_agents(zoo, kind, env, folder, count):
    """Agents with the same networks."""
    agents = []
    for _ in range(count):
        set_seed(5)
        agents.append(zoo.make_agent(kind, env, 4, folder, write=0, checkpoint=0))
    return agents


@pytest.mark.parametrize("kind", ["ppo", "td3", "dqn", "sarsa", "ippo"])
def test_seeds_make_the_difference(kind, zoo, tmp_path):
    env = zoo.env_for(kind, 12)
    agents = equal_agents(zoo, kind, env, tmp_path, 3)
    trainer = SequentialTrainer(env=env, agents=agents, seeds=[4, 7, 4], cfg=cfg(18))
    trainer.train()
    first, second, third = (zoo.everything(agent) for agent in agents)
    assert zoo.differences(first, second) != []
    if kind != "ippo":  # the instances of its environment share one stream
        assert zoo.differences(first, third) == []


@pytest.mark.parametrize("kind", ["ppo_rnn", "ddpg", "dqn", "q_learning"])
def test_alone_and_in_a_population(kind, zoo, tmp_path):
    env = zoo.env_for(kind, 12)
    agents = equal_agents(zoo, kind, env, tmp_path, 3)
    SequentialTrainer(env=env, agents=agents, seeds=[4, 7, 9], cfg=cfg(18)).train()
    env = zoo.env_for(kind, 4)
    env.action_space.seed(123)
    alone = equal_agents(zoo, kind, env, tmp_path, 1)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    SequentialTrainer(env=env, agents=alone, seeds=[7], cfg=cfg(18)).train()
    assert zoo.differences(zoo.everything(agents[1]), zoo.everything(alone[0])) == []


def test_seeds_are_derived_from_that_of_set_seed(zoo, tmp_path):
    env = zoo.env_for("ppo", 8)
    agents = equal_agents(zoo, "ppo", env, tmp_path, 2)
    set_seed(40)
    trainer = SequentialTrainer(env=env, agents=agents, cfg=cfg(18))
    seeds = [member.seed for member in trainer.trainer.members]
    assert seeds[0] == 40
    assert len(set(seeds)) == 2


@pytest.mark.parametrize("kind", ["td3", "dqn"])
def test_random_actions_differ_from_step_to_step(kind, zoo, tmp_path):
    env = zoo.env_for(kind)
    member = adapt(zoo.make_agent(kind, env, 4, tmp_path), seed=6)
    member.setup(4)
    member.enable_training_mode(True)
    observed, drawn = torch.zeros(4, 3), []
    for timestep in range(4):
        member.pre_interaction(timestep=timestep, timesteps=9)
        drawn.append(member.act(observed, timestep=timestep, timesteps=9))
    assert len({tuple(actions.flatten().tolist()) for actions in drawn}) == 4
    assert len(set(torch.stack(drawn).flatten().tolist())) > 2


def test_faithful_random_actions_are_those_of_skrl(zoo, tmp_path):
    """skrl draws from a copy of the space's generator: the same again and again."""
    env = zoo.env_for("td3")
    member = adapt(zoo.make_agent("td3", env, 4, tmp_path), cfg={"faithful": True})
    member.setup(4)
    member.enable_training_mode(True)
    observed, drawn = torch.zeros(4, 3), []
    for timestep in range(2):
        member.pre_interaction(timestep=timestep, timesteps=9)
        drawn.append(member.act(observed, timestep=timestep, timesteps=9))
    assert torch.equal(*drawn)


@pytest.mark.parametrize("kind", ["td3", "ppo", "dqn", "sarsa"])
def test_nothing_global_changes(kind, zoo, tmp_path):
    env = zoo.env_for(kind, 8)
    agents = [zoo.make_agent(kind, env, 4, tmp_path) for _ in range(2)]
    assert env.action_space.np_random is not None  # made when it is first asked for
    before = env.action_space.np_random.bit_generator.state
    with nothing_global():
        trainer = SequentialTrainer(env=env, agents=agents, cfg=cfg(14))
        trainer.train()
        trainer.eval()
    assert env.action_space.np_random.bit_generator.state == before


def test_a_member_draws_nothing_of_another(zoo, tmp_path):
    """Beside an agent that draws a lot, an agent learns what it learns alone."""
    ends = []
    for other in ("ppo", "trpo"):
        set_seed(5)
        env = zoo.env_for("ppo", 8)
        agents = [zoo.make_agent("ppo", env, 4, tmp_path), zoo.make_agent(other, env, 4, tmp_path)]
        SequentialTrainer(env=env, agents=agents, seeds=[1, 2], cfg=cfg(18)).train()
        ends.append(zoo.everything(agents[0]))
    assert zoo.differences(*ends) == []


def test_coterie_derives_other_episodes_for_other_seeds(zoo, tmp_path):
    env = coterie.wrap_env(zoo.env_for("ppo", 8))
    agents = [adapt(zoo.make_agent("ppo", env.wrapper, 4, tmp_path), seed=seed) for seed in (1, 2)]
    trainer = coterie.make_trainer("step", env=env, agents=agents, cfg=cfg(3))
    observed = trainer.train().observations
    assert not torch.equal(observed[:4], observed[4:])
