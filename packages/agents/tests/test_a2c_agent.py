"""A2C as an agent: its rhythm, its optimisers, stacks, states, and that it learns."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from coterie import CheckpointMismatch, ConfigError, Transition
from coterie.testing import AgentSuite
from coterie_agents import A2C, PPO, A2CCfg, A2CLearner, PopulationAdam, PopulationRMSProp

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
MODEL = {"hidden_sizes": (8, 8)}
VARIANTS = {
    "discrete": {},
    "box": {"action_space": BOX, "optimizer": "adam"},
    "everything": {
        "action_space": spaces.MultiDiscrete([2, 3]),
        "state_space": spaces.Box(-1.0, 1.0, (5,), np.float32),
        "observation_normalization": True,
        "value_normalization": True,
        "normalize_advantages": True,
        "gae_lambda": 0.95,
    },
}


def make(tools, *, num_envs=4, seed=0, action_space=None, state_space=None, **settings):
    agent = A2C(
        observation_space=tools.observations,
        action_space=action_space or tools.binary,
        state_space=state_space,
        seed=seed,
        cfg={"model": MODEL, **settings},
    )
    agent.setup(num_envs)
    return agent


class TestA2CInTheSuite(AgentSuite):
    def make_agent(self, **arguments):
        return A2C(**arguments, cfg={"rollouts": 7, "model": MODEL})


class TestA2CWithRealActionsInTheSuite(AgentSuite):
    action_space = BOX

    def make_agent(self, **arguments):
        more = {"observation_normalization": True, "optimizer": "adam"}
        return A2C(**arguments, cfg={"rollouts": 7, "model": MODEL, **more})


def test_one_step_per_rollout(tools):
    agent = make(tools, optimizer="adam")
    tools.run(agent, 14)
    assert agent.learner.updates == [2]
    assert agent.learner.optimizer.steps.tolist() == [2.0]
    metrics = agent.metrics()
    assert {"loss/policy", "loss/value", "entropy", "learning_rate"} <= set(metrics)
    assert not {"kl", "clip_fraction"} & set(metrics)


def test_learning_draws_nothing(tools):
    agent = make(tools)
    tools.run(agent, 4)
    before = agent.generator.get_state()
    agent.learner.memory.position += 1
    agent.learner.update(timestep=4, timesteps=10)
    assert torch.equal(agent.generator.get_state(), before)


def test_optimizers_are_chosen_by_name(tools):
    first = make(tools, rmsprop_decay=0.9, optimizer_epsilon=1e-3).learner.optimizer
    assert isinstance(first, PopulationRMSProp)
    assert (first.decay, first.epsilon) == (0.9, 1e-3)
    assert isinstance(make(tools, optimizer="adam").learner.optimizer, PopulationAdam)
    with pytest.raises(ConfigError, match="optimizer"):
        make(tools, optimizer="sgd")


def test_the_linear_rate_falls(tools):
    agent = make(tools, learning_rate=1e-2, learning_rate_scheduler="linear")
    tools.run(agent, 30, total=60)
    assert agent.learning_rate == pytest.approx(1e-2 * (1 - 29 / 60))


def test_an_update_is_what_one_epoch_of_ppo_is(tools):
    settings = {"rollouts": 6, "optimizer": "adam", "grad_norm_clip": 0.5}
    mine = make(tools, action_space=BOX, **settings)
    theirs = PPO(
        observation_space=tools.observations,
        action_space=BOX,
        seed=0,
        cfg={
            "rollouts": 6,
            "learning_epochs": 1,
            "mini_batches": 1,
            "gae_lambda": 1.0,
            "learning_rate": 7e-4,
            "entropy_loss_scale": 0.01,
            "normalize_advantages": False,
            "value_normalization": False,
            "model": MODEL,
        },
    )
    theirs.setup(4)
    for agent in (mine, theirs):
        tools.run(agent, 6)
    one, two = (agent.learner.networks.state(0) for agent in (mine, theirs))
    for name in ("policy", "value"):
        for key, tensor in one[name].items():
            torch.testing.assert_close(tensor, two[name][key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cut_at", [3, 10])
def test_resumed_from_a_file_equals_uninterrupted(tools, variant, tmp_path, cut_at):
    whole, first, second = (make(tools, **VARIANTS[variant]) for _ in range(3))
    tools.run(whole, 23, invalid=True)
    tools.run(first, cut_at, invalid=True)
    first.save(tmp_path / "agent.safetensors")
    second.load(tmp_path / "agent.safetensors")
    tools.assert_equal_states(first.state_dict(), second.state_dict())
    tools.run(second, 23 - cut_at, start=cut_at, invalid=True)
    tools.assert_equal_states(whole.state_dict(), second.state_dict())


def test_a_state_of_another_optimizer_is_refused(tools):
    one, other = make(tools), make(tools, optimizer="adam")
    with pytest.raises(CheckpointMismatch, match=r"another A2C agent[\s\S]*optimizer.square"):
        one.load_state_dict(other.state_dict())


def test_settings_change_while_it_lives(tools):
    agent = make(tools)
    agent.reconfigure({"learning_rate": 1e-2, "entropy_loss_scale": 0.5})
    assert agent.learning_rate == 1e-2
    assert agent.learner.hyper.entropy_loss_scale.tolist() == [0.5]
    with pytest.raises(ConfigError, match="rollouts can't change"):
        agent.reconfigure({"rollouts": 6})


def step(learner, timestep, members, num_envs=4):
    """One timestep on data that belongs to each member, whoever else is in the stack."""

    def stack(draw):
        return torch.cat([draw(torch.Generator().manual_seed(50 * i + timestep)) for i in members])

    observations = stack(lambda g: torch.randn(num_envs, 3, generator=g))
    learner.record(
        Transition(
            observations=observations,
            actions=learner.act(observations),
            rewards=stack(lambda g: torch.rand(num_envs, generator=g)),
            next_observations=stack(lambda g: torch.rand(num_envs, 3, generator=g)),
            terminated=stack(lambda g: torch.rand(num_envs, generator=g) < 0.1),
            truncated=stack(lambda g: torch.rand(num_envs, generator=g) > 0.9),
            valid=stack(lambda g: torch.rand(num_envs, generator=g) > 0.2),
            all_valid=False,
        )
    )


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
@pytest.mark.parametrize("action_space", [spaces.Discrete(3), BOX], ids=["discrete", "box"])
def test_stacked_members_learn_like_single_ones(tools, optimizer, action_space):
    members = (0, 1, 2)
    cfgs = [
        A2CCfg(optimizer=optimizer, learning_rate=1e-3 * (1 + i), entropy_loss_scale=0.02 * i)
        for i in members
    ]

    def learner(chosen):
        made = A2CLearner(
            observation_space=tools.observations,
            action_space=action_space,
            cfgs=[cfgs[i] for i in chosen],
            generators=[torch.Generator().manual_seed(i) for i in chosen],
            seeds=list(chosen),
            dtype=torch.float64,
        )
        made.allocate(4)
        for timestep in range(20):
            step(made, timestep, chosen)
            if made.ready_to_learn:
                made.update(timestep=timestep, timesteps=20)
        return made

    together = learner(members)
    assert together.updates == [4, 4, 4]
    for i in members:
        mine, own = together.networks.state(i), learner((i,)).networks.state(0)
        for name in ("policy", "value"):
            for key, tensor in mine[name].items():
                torch.testing.assert_close(tensor, own[name][key], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_learns_which_action_agrees_with_the_observation(tools, optimizer):
    agent = make(tools, num_envs=16, optimizer=optimizer, learning_rate=1e-2)
    early = tools.run(agent, 4)  # before the first update
    late = tools.run(agent, 350, start=4, mean_over=16)
    assert early < 0.65
    assert late > 0.9
