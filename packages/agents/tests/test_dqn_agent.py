"""DQN as an agent: spaces, life cycle, state, settings, modules, stacks, failures."""

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie import CheckpointMismatch, ConfigError, TrainerStateError
from coterie.testing import AgentSuite
from coterie_agents import DQN, DQNLearner, NonFiniteLoss

BASE = {
    "learning_starts": 5,
    "batch_size": 8,
    "memory_size": 100,
    "update_interval": 3,
    "target_update_interval": 4,
    "exploration_timesteps": 20,
    "model": {"hidden_sizes": (8,)},
}
EVERYTHING = {
    "memory": "prioritized",
    "importance_timesteps": 30,
    "n_step": 3,
    "dueling": True,
    "gradient_steps": 2,
    "target_update_rate": 0.1,
    "target_update_interval": 1,
    "observation_normalization": True,
    "grad_norm_clip": 0.5,
    "random_timesteps": 4,
    "loss": "mse",
}


class TestPlain(AgentSuite):
    def make_agent(self, **arguments: Any) -> DQN:
        return DQN(**arguments, cfg=BASE)


class TestEverything(AgentSuite):
    action_space = spaces.Discrete(3, start=2)

    def make_agent(self, **arguments: Any) -> DQN:
        return DQN(**arguments, cfg={**BASE, **EVERYTHING})


class TestOwnModule(AgentSuite):
    def make_agent(self, **arguments: Any) -> DQN:
        torch.manual_seed(0)
        before = torch.get_rng_state()
        module = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))
        with torch.no_grad():
            generator = torch.Generator().manual_seed(arguments.get("seed", 0))
            for parameter in module.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        torch.set_rng_state(before)
        return DQN(**arguments, cfg={**BASE, "model": {}}, models={"q": module})


NESTED = spaces.Dict(
    {
        "camera": spaces.Box(0, 255, (4, 4, 1), np.uint8),
        "parts": spaces.Tuple([spaces.Discrete(3, start=1), spaces.MultiBinary(2)]),
    }
)


def make(tools, *, num_envs=4, seed=0, models=None, **settings):
    space = {
        "observation_space": settings.pop("observation_space", tools.observations),
        "action_space": settings.pop("action_space", tools.binary),
    }
    name = settings.pop("name", None)
    agent = DQN(**space, seed=seed, name=name, models=models, cfg={**BASE, **settings})
    agent.setup(num_envs)
    return agent


@pytest.mark.parametrize(
    "space",
    [spaces.Discrete(4), spaces.MultiDiscrete([2, 3]), NESTED],
    ids=lambda s: type(s).__name__,
)
def test_observations_of_any_kind(tools, space):
    agent = make(tools, observation_space=space)
    before = agent.state_dict()["networks"]["q"]["weight_0"]
    tools.run(agent, 9)
    assert not torch.equal(before, agent.state_dict()["networks"]["q"]["weight_0"])


def test_frames_are_kept_as_bytes(tools):
    agent = make(tools, observation_space=NESTED)
    tools.run(agent, 3)
    rows = agent.state_dict()["memory"]["rows"]
    assert rows["observations.0"].dtype == rows["next_observations.0"].dtype == torch.uint8


@pytest.mark.parametrize(
    "space", [spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([2, 2]), spaces.MultiBinary(2)], ids=str
)
def test_other_actions_are_refused(tools, space):
    with pytest.raises(ConfigError, match="DQN needs a Discrete action space, got"):
        DQN(observation_space=tools.observations, action_space=space)


def test_learning_starts_and_goes_on_in_its_rhythm(tools):
    agent = make(tools)
    updates = []
    for timestep in range(12):
        tools.run(agent, 1, start=timestep)
        updates.append(agent.state_dict()["updates"])
    assert updates == [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_exploration_falls_and_ends(tools):
    agent = make(tools, final_epsilon=0.2)
    found = []
    for timestep in range(0, 30, 10):
        found.append(agent.epsilon)
        tools.run(agent, 10, start=timestep)
    assert found == [1.0, pytest.approx(0.6), pytest.approx(0.2)]
    assert agent.epsilon == pytest.approx(0.2)


def test_greedy_actions_are_the_best(tools):
    agent = make(tools)
    tools.run(agent, 20)
    observations = tools.observe(tools.observations, 9, 0)
    values = agent.learner.networks.values(observations.unsqueeze(0))
    acted = agent.act(observations, timestep=0, timesteps=1, deterministic=True)
    assert torch.equal(acted, values[0].argmax(-1))


def test_evaluation_leaves_training_as_it_is(tools):
    agent, other = make(tools), make(tools)
    for each in (agent, other):
        tools.run(each, 11)
    other.enable_training_mode(False)
    observations = tools.observe(other.observation_space, 9, 0)
    drawn = [other.act(observations, timestep=0, timesteps=1) for _ in range(20)]
    assert any(not torch.equal(drawn[0], again) for again in drawn)
    other.enable_training_mode(True)
    for each in (agent, other):
        tools.run(each, 9, start=11)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("cut_at", [2, 7, 40])
def test_resumed_from_a_file_equals_uninterrupted(tools, tmp_path, settings, cut_at):
    whole, first, second = (make(tools, **settings) for _ in range(3))
    tools.run(whole, 70, invalid=True)
    tools.run(first, cut_at, invalid=True)
    first.save(tmp_path / "agent.safetensors")
    second.load(tmp_path / "agent.safetensors")
    tools.assert_equal_states(first.state_dict(), second.state_dict())
    tools.run(second, 70 - cut_at, start=cut_at, invalid=True)
    tools.assert_equal_states(whole.state_dict(), second.state_dict())


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_copies_go_on_alike_and_apart(tools, settings, duplicate):
    agent = make(tools, **settings)
    tools.run(agent, 11)
    other = duplicate(agent)
    for each in (agent, other):
        tools.run(each, 9, start=11)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


def test_without_its_memory_a_state_is_small_and_learning_starts_anew(tools):
    agent, other = (make(tools, checkpoint_memory=False) for _ in range(2))
    tools.run(agent, 20)
    state = agent.state_dict()
    assert state["memory"] is None
    assert not agent.saves_everything
    assert make(tools).saves_everything
    other.load_state_dict(state)
    tools.assert_equal_states(other.state_dict()["networks"], state["networks"])
    tools.run(other, 3, start=20)
    assert other.state_dict()["updates"] == state["updates"]
    tools.run(other, 4, start=23)
    assert other.state_dict()["updates"] > state["updates"]


def test_another_number_of_instances_keeps_what_was_learned(tools):
    agent, other = make(tools), make(tools, num_envs=2)
    tools.run(agent, 11)
    other.load_state_dict(agent.state_dict())
    tools.assert_equal_states(other.state_dict()["networks"], agent.state_dict()["networks"])
    tools.run(other, 9)
    agent.setup(3)
    tools.run(agent, 9)


def test_reset_steps_are_not_learned_from(tools):
    ends = []
    for reward in (0.0, 1e9):
        agent = make(tools, **EVERYTHING)
        for timestep in range(20):
            observations = tools.observe(agent.observation_space, 4, timestep)
            actions = agent.act(observations, timestep=timestep, timesteps=20)
            reset = (torch.arange(4) + timestep) % 5 == 1
            rewards = torch.where(reset, reward, 1.0)
            changes = {"valid": ~reset, "all_valid": False, "rewards": rewards}
            agent.record_transition(
                tools.make_transition(agent, observations, actions, timestep, None, **changes)
            )
            agent.post_interaction(timestep=timestep, timesteps=20)
        ends.append(agent.state_dict())
    tools.assert_equal_states(*ends)


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
def test_members_of_a_stack_learn_as_they_do_alone(tools, settings):
    own = [{"learning_rate": 1e-2}, {"final_epsilon": 0.5}, {"discount_factor": 0.5}]
    alone = [make(tools, seed=s, **{**settings, **c}) for s, c in enumerate(own)]
    stacked = [make(tools, seed=s, **{**settings, **c}) for s, c in enumerate(own)]
    stack = stacked[0].stack(stacked)
    for timestep in range(40):
        at = {"timestep": timestep, "timesteps": 40}
        observations = tools.observe(alone[0].observation_space, 12, timestep)
        acted = stack.act(observations, **at)
        expected = []
        for p, agent in enumerate(alone):
            rows = observations[4 * p : 4 * p + 4]
            expected.append(agent.act(rows, **at))
        assert torch.equal(acted, torch.cat(expected))
        following = tools.observe(alone[0].observation_space, 12, timestep + 1)
        ended = (torch.arange(12) + timestep) % 9 == 0
        valid = (torch.arange(12) + timestep) % 6 != 0

        changes = {
            "next_observations": following,
            "rewards": observations[:, 0],
            "terminated": ended,
            "truncated": torch.zeros_like(ended),
            "valid": valid,
        }

        def step(rows, own=(observations, acted, timestep), changes=changes):
            parts = {name: tensor[rows] for name, tensor in changes.items()}
            return tools.make_transition(
                alone[0], own[0][rows], own[1][rows], own[2], None, **parts, all_valid=False
            )

        stack.record_transition(step(slice(None)), **at)
        assert stack.post_interaction(**at) == {}
        for p, agent in enumerate(alone):
            agent.record_transition(step(slice(4 * p, 4 * p + 4)), **at)
            agent.post_interaction(**at)
    for p, agent in enumerate(alone):
        stack.unstack(p)
        mine, other = agent.state_dict(), stacked[p].state_dict()
        for name, weight in mine["networks"]["q"].items():
            torch.testing.assert_close(other["networks"]["q"][name], weight, rtol=1e-4, atol=1e-6)
        for name, rows in mine["memory"]["rows"].items():
            assert torch.equal(rows, other["memory"]["rows"][name])
        assert torch.equal(mine["generator"], other["generator"])


def test_stacks_of_own_modules(tools):
    def module(seed):
        made = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))
        generator = torch.Generator().manual_seed(seed)
        for parameter in made.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        return made

    learners = [
        DQNLearner(
            observation_space=tools.observations,
            action_space=tools.binary,
            cfgs=[make(tools).cfg] * len(seeds),
            generators=[torch.Generator().manual_seed(s) for s in seeds],
            seeds=seeds,
            models=[{"q": module(s)} for s in seeds],
        )
        for seeds in ((1, 2, 3), (2,))
    ]
    stack, alone = learners
    for learner in learners:
        learner.allocate(2)
    inputs = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    values = [stack.networks.values(inputs)[1], alone.networks.values(inputs[1:2])[0]]
    torch.testing.assert_close(*values)
    with torch.no_grad():
        for learner in learners:
            for parameter in learner.networks.online.parameters():
                parameter.mul_(2)
            learner.networks.follow(torch.full((learner.population,), 0.25))
    torch.testing.assert_close(
        stack.networks.target_values(inputs)[1], alone.networks.target_values(inputs[1:2])[0]
    )
    assert not torch.equal(stack.networks.target_values(inputs), stack.networks.values(inputs))


def test_modules_of_the_user(tools):
    module = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
    weight = module[0].weight
    before = weight.detach().clone()
    agent = make(tools, models={"q": module})
    tools.run(agent, 9)
    assert agent.models["q"] is module
    assert module[0].weight is weight
    assert not torch.equal(weight, before)
    assert not agent.uses_global_generators
    with pytest.raises(ConfigError, match="dueling belongs to the built-in network"):
        make(tools, models={"q": module}, dueling=True)
    with pytest.raises(ConfigError, match=r"\(2, 2\), the value of each action; got \(2, 5\)"):
        make(tools, models={"q": nn.Linear(3, 5)})
    with pytest.raises(ConfigError, match=r"models\['q'\] is missing"):
        make(tools, models={})


def test_settings_change_while_the_agent_lives(tools):
    agent = make(tools, **EVERYTHING)
    tools.run(agent, 9)
    agent.reconfigure({"learning_rate": 0.5, "final_epsilon": 0.3, "priority_exponent": 0.1})
    tools.run(agent, 30, start=9)
    assert agent.learning_rate == 0.5
    assert agent.epsilon == pytest.approx(0.3)
    other = make(tools, **EVERYTHING)
    other.load_state_dict(agent.state_dict())
    assert other.cfg.priority_exponent == 0.1
    for each in (agent, other):
        tools.run(each, 10, start=39)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())
    with pytest.raises(ConfigError, match="n_step can't change while the agent lives"):
        agent.reconfigure({"n_step": 2})


def test_a_linear_learning_rate(tools):
    agent = make(tools, learning_rate=1.0, learning_rate_scheduler="linear")
    tools.run(agent, 6, total=20)
    assert agent.learning_rate == pytest.approx(1 - 5 / 20)


def test_memories_that_are_too_small_are_refused(tools):
    with pytest.raises(ConfigError, match="holds 1 timesteps of 60 instances"):
        make(tools, num_envs=60)
    with pytest.raises(ConfigError, match="learning_starts"):
        make(tools, learning_starts=1)


def test_acting_before_setup_is_refused(tools):
    agent = DQN(observation_space=tools.observations, action_space=tools.binary)
    with pytest.raises(TrainerStateError, match="setup"):
        agent.act(torch.zeros(4, 3))
    assert agent.act(torch.zeros(4, 3), deterministic=True).shape == (4,)


def test_a_loss_that_is_not_finite_is_named_and_spoils_nothing(tools):
    agent = make(tools, name="q-b", memory="prioritized", learning_starts=2, update_interval=1)
    tools.run(agent, 1)
    before = agent.state_dict()["networks"]
    observations = tools.observe(agent.observation_space, 4, 1)
    actions = agent.act(observations, timestep=1, timesteps=8)
    rewards = torch.full((4,), math.inf)
    transition = tools.make_transition(agent, observations, actions, 1, None, rewards=rewards)
    agent.record_transition(transition)
    with pytest.raises(NonFiniteLoss, match=r"agent 'q-b': loss is (nan|inf)"):
        agent.post_interaction(timestep=1, timesteps=8)
    tools.assert_equal_states(agent.state_dict()["networks"], before)


def test_a_frozen_member_does_not_touch_the_others(tools):
    def play(poison):
        agents = [make(tools, seed=s, learning_starts=2, update_interval=1) for s in range(3)]
        stack = agents[0].stack(agents)
        failures = {}
        for timestep in range(12):
            at = {"timestep": timestep, "timesteps": 12}
            observations = tools.observe(agents[0].observation_space, 12, timestep)
            acted = stack.act(observations, **at)
            rewards = torch.ones(12)
            if timestep == 5:
                rewards[4:8] = poison
            step = tools.make_transition(
                agents[0],
                observations,
                acted,
                timestep,
                None,
                next_observations=tools.observe(agents[0].observation_space, 12, timestep + 1),
                rewards=rewards,
                terminated=torch.zeros(12, dtype=torch.bool),
                truncated=torch.zeros(12, dtype=torch.bool),
                valid=torch.ones(12, dtype=torch.bool),
            )
            stack.record_transition(step, **at)
            failures |= stack.post_interaction(**at)
        return [stack.state_dict(p)["networks"] for p in range(3)], failures

    healthy, none = play(1.0)
    frozen, failures = play(math.inf)
    assert none == {}
    assert set(failures) == {1}
    for member in (0, 2):
        tools.assert_equal_states(healthy[member], frozen[member])
    assert all(t.isfinite().all() for net in frozen[1].values() for t in net.values())


def test_states_of_other_agents_are_refused(tools):
    agent, other = make(tools), make(tools, model={"hidden_sizes": (5,)})
    before = agent.state_dict()
    with pytest.raises(CheckpointMismatch, match="another DQN agent"):
        agent.load_state_dict(other.state_dict())
    tools.run(other, 3)
    wide = make(tools, observation_space=spaces.Box(-1.0, 1.0, (3,), np.float64))
    tools.run(wide, 3)
    with pytest.raises(CheckpointMismatch, match="this memory holds"):
        agent.load_state_dict(wide.state_dict())
    tools.assert_equal_states(agent.state_dict(), before)
