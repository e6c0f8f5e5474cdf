"""States of agents: to a file and into an equal agent, which goes on bit for bit."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from skrl.utils import set_seed

import coterie
from coterie import CheckpointMismatch
from coterie.testing import CountingEnv, assert_same_state
from coterie_skrl import adapt

HALF = 14


def members_of(agents, seed=3):
    return [
        adapt(agent, seed=coterie.derive_seed(seed, "agent", index))
        for index, agent in enumerate(agents)
    ]


def trainer_of(kind, env, members, timesteps):
    cfg = {"timesteps": timesteps, "headless": True, "disable_progressbar": True}
    return coterie.make_trainer(kind, env=env, agents=members, cfg=cfg)


@pytest.mark.parametrize("group", ["box", "discrete", "table", "teams"])
def test_a_fresh_agent_goes_on_from_a_file(group, zoo, tmp_path):
    ends = []
    for interrupted in (False, True):
        set_seed(3)
        env = zoo.group_env(group, 4 * len(zoo.GROUPS[group]))
        agents = zoo.group_agents(group, env, tmp_path / "first")
        members = members_of(agents)
        trainer = trainer_of("sequential", coterie.wrap_env(env), members, HALF)
        trainer.train()
        if interrupted:
            set_seed(99)
            agents = zoo.group_agents(group, env, tmp_path / "second")
            for index, (member, fresh) in enumerate(zip(members, members_of(agents), strict=True)):
                file = tmp_path / f"{group}_{index}.safetensors"
                member.save(file)
                fresh.load(file)
                assert_same_state(member.state_dict(), fresh.state_dict())
                trainer.members[index].agent = fresh
        trainer.train()
        ends.append([zoo.everything(agent) for agent in agents])
    found = {
        kind: zoo.differences(one, other)
        for kind, one, other in zip(zoo.GROUPS[group], *ends, strict=True)
    }
    assert not {name: names for name, names in found.items() if names}


def test_a_checkpoint_in_the_middle_of_a_run(zoo, tmp_path):
    """The environment saves its state, so that all goes on exactly."""
    kinds = ["a2c_rnn", "ppo_states", "trpo", "ddpg_rnn", "td3", "sac"]
    trainers, agents = [], []
    for _ in range(2):
        set_seed(3 + len(trainers))
        env = CountingEnv(
            4 * len(kinds), action_space=spaces.Box(-1, 1, (2,), np.float32), state=True
        )
        agents.append([zoo.make_agent(kind, env, 4, tmp_path, name=kind) for kind in kinds])
        trainers.append(trainer_of("step", env, members_of(agents[-1]), 2 * HALF))
    for _ in range(HALF):
        trainers[0].train()
    trainers[0].save(tmp_path / "checkpoint")
    assert trainers[1].resume(tmp_path / "checkpoint") == HALF
    for trainer in trainers:
        for _ in range(HALF):
            trainer.train()
    for kind, one, other in zip(kinds, *agents, strict=True):
        assert zoo.differences(zoo.everything(one), zoo.everything(other)) == [], kind


@pytest.mark.parametrize("kind", ["ddpg_rnn", "ppo_rnn"])
def test_recurrent_networks_stay_whole(kind, zoo, tmp_path):
    """What a network computes with are its parameters, after a state was put into it, too."""
    set_seed(3)
    env = zoo.make_env(kind)
    trained, fresh = (adapt(zoo.make_agent(kind, env, 4, tmp_path)) for _ in range(2))
    trainer_of("sequential", coterie.wrap_env(env), trained, HALF).train()
    fresh.load_state_dict(trained.state_dict())
    for model in fresh.agent.models.values():
        assert all(
            one is other
            for one, other in zip(model.rnn._flat_weights, model.rnn.parameters(), strict=True)
        )


def test_the_state_of_another_kind_is_refused(zoo, tmp_path):
    env = zoo.make_env("ppo")
    one, other = (adapt(zoo.make_agent(kind, env, 4, tmp_path)) for kind in ("ppo", "a2c"))
    one.save(tmp_path / "ppo.safetensors")
    with pytest.raises(CheckpointMismatch, match="kind 'skrl-ppo', this is a 'skrl-a2c'"):
        other.load(tmp_path / "ppo.safetensors")


def test_the_state_of_other_networks_is_refused(zoo, tmp_path):
    env = zoo.make_env("ppo")
    agents = [zoo.make_agent("ppo", env, 4, tmp_path) for _ in range(3)]
    agents[1].policy.head = torch.nn.Linear(8, 3)
    agents[2].value.more = torch.nn.Linear(8, 3)
    first = adapt(agents[0])
    message = r"agent\.\w+\['policy'\]\.head\.weight was \(2, 8\).* here it is \(3, 8\)"
    with pytest.raises(CheckpointMismatch, match=message):
        adapt(agents[1]).load_state_dict(first.state_dict())
    with pytest.raises(CheckpointMismatch, match=r"agent\.\w+\['value'\].*more\.weight"):
        adapt(agents[2]).load_state_dict(first.state_dict())


def test_the_state_of_another_memory_is_refused(zoo, tmp_path):
    env = zoo.make_env("sac")
    one, other = (zoo.make_agent("sac", env, 4, tmp_path) for _ in range(2))
    other.memory = type(other.memory)(memory_size=30, num_envs=4)
    trained, fresh = adapt(one), adapt(other)
    trainer_of("sequential", coterie.wrap_env(env), trained, HALF).train()
    with pytest.raises(CheckpointMismatch, match=r"agent\.memory.* was \(40, 4, 3\).*\(30, 4, 3\)"):
        fresh.load_state_dict(trained.state_dict())


def test_the_state_of_an_agent_with_other_parts_is_refused(zoo, tmp_path):
    """Without a scheduler or preprocessor that the other had, there is no place for its state."""
    env = zoo.make_env("ppo")
    one = adapt(zoo.make_agent("ppo", env, 4, tmp_path))
    other = adapt(zoo.make_agent("ppo", env, 4, tmp_path, observation_preprocessor=None))
    with pytest.raises(CheckpointMismatch, match=r"agent\.\S*observation_preprocessor"):
        other.load_state_dict(one.state_dict())
    third = adapt(zoo.make_agent("ppo", env, 4, tmp_path, learning_rate_scheduler=None))
    with pytest.raises(CheckpointMismatch, match=r"agent\.scheduler"):
        third.load_state_dict(one.state_dict())
