"""The agent: spaces, user's modules, settings, life cycle, metrics, failures."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie import Agent, ConfigError, TrainerStateError
from coterie_agents import PPO, NonFiniteLoss

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
NESTED = spaces.Dict(
    {
        "camera": spaces.Box(0, 255, (4, 4, 1), np.uint8),
        "parts": spaces.Tuple([spaces.Discrete(3, start=1), spaces.MultiBinary(2)]),
    }
)


@pytest.mark.parametrize(
    "action_space",
    [
        spaces.Discrete(2, start=5),
        spaces.MultiDiscrete([3, 2, 4]),
        spaces.MultiBinary(3),
        BOX,
        spaces.Box(-np.inf, np.inf, (2, 2), np.float32),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "observation_space",
    [BOX, spaces.Discrete(4), spaces.MultiDiscrete([2, 3]), NESTED],
    ids=lambda space: type(space).__name__,
)
def test_spaces(tools, observation_space, action_space):
    agent = tools.agent(observation_space=observation_space, action_space=action_space)
    before = agent.state_dict()["networks"]
    tools.run(agent, 9)
    after = agent.state_dict()["networks"]
    assert not torch.equal(before["policy"]["weight_0"], after["policy"]["weight_0"])
    acted = agent.act(tools.observe(observation_space, 4, 0), timestep=0, timesteps=1)
    for value in acted.numpy():
        assert action_space.contains(np.asarray(value, action_space.dtype))


def test_privileged_observations_go_to_the_value_network(tools):
    agent = tools.agent(state_space=spaces.Box(-1.0, 1.0, (7,), np.float32))
    networks = agent.state_dict()["networks"]
    assert networks["policy"]["weight_0"].shape == (3, 8)
    assert networks["value"]["weight_0"].shape == (7, 8)
    tools.run(agent, 9)
    observations = tools.observe(agent.observation_space, 4, 9)
    actions = agent.act(observations, timestep=9, timesteps=10)
    missing = tools.make_transition(agent, observations, actions, 9, None, next_states=None)
    with pytest.raises(ValueError, match="no states"):
        agent.record_transition(missing)


def test_initial_weights_are_orthogonal(tools):
    weights = tools.agent().state_dict()["networks"]
    hidden = weights["policy"]["weight_1"].double()
    identity = torch.eye(8, dtype=torch.float64)
    torch.testing.assert_close(hidden @ hidden.t(), 2 * identity, atol=1e-5, rtol=0)
    last = weights["policy"]["weight_2"].double()
    small = 1e-4 * torch.eye(2, dtype=torch.float64)
    torch.testing.assert_close(last.t() @ last, small, atol=1e-9, rtol=0)
    assert weights["value"]["weight_2"].norm().item() == pytest.approx(1.0)
    assert not weights["policy"]["bias_0"].any()


class Gaussian(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.layer = nn.Linear(3, outputs)
        self.log_std = nn.Parameter(torch.full((outputs,), -0.5))

    def forward(self, observations):
        return self.layer(observations)


def linear_models(outputs, inputs=3):
    return {
        "policy": nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, outputs)),
        "value": nn.Linear(inputs, 1),
    }


def test_modules_of_the_user_are_trained_where_they_are(tools):
    models = linear_models(2)
    weight = models["policy"][0].weight
    before = weight.detach().clone()
    agent = tools.agent(models=models)
    assert torch.equal(weight, before)
    tools.run(agent, 9)
    assert models["policy"][0].weight is weight
    assert agent.models["policy"] is models["policy"]
    assert not torch.equal(weight, before)
    other = tools.agent(models=linear_models(2))
    other.load_state_dict(agent.state_dict())
    for each in (agent, other):
        tools.run(each, 9, start=9)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


def test_built_in_and_own_modules_learn_alike(tools):
    built = tools.agent(model={"hidden_sizes": (6,)}, observation_normalization=False)
    models = {
        name: nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, outputs))
        for name, outputs in (("policy", 2), ("value", 1))
    }
    for name, module in models.items():
        given = built.state_dict()["networks"][name]
        for layer, index in ((0, 0), (2, 1)):
            module[layer].weight.data.copy_(given[f"weight_{index}"].t())
            module[layer].bias.data.copy_(given[f"bias_{index}"][0])
    own = tools.agent(models=models)
    for agent in (built, own):
        tools.run(agent, 24)
    found = built.state_dict()["networks"]["policy"]["weight_1"]
    torch.testing.assert_close(models["policy"][2].weight.t(), found, rtol=1e-3, atol=1e-5)


def test_standard_deviations_of_the_user_or_of_the_agent(tools):
    policy = Gaussian(2)
    agent = tools.agent(action_space=BOX, models={"policy": policy, "value": nn.Linear(3, 1)})
    assert agent.state_dict()["networks"]["log_std"] is None
    tools.run(agent, 9)
    assert not torch.equal(policy.log_std, torch.full((2,), -0.5))
    agent = tools.agent(action_space=BOX, models=linear_models(2), model={"initial_log_std": -1.0})
    assert agent.state_dict()["networks"]["log_std"].tolist() == [-1.0, -1.0]
    tools.run(agent, 9)
    assert agent.state_dict()["networks"]["log_std"].tolist() != [-1.0, -1.0]


def test_modules_see_observations_as_they_are(tools):
    class Camera(nn.Module):
        def __init__(self, outputs):
            super().__init__()
            self.layer = nn.Linear(16, outputs)
            self.embedding = nn.Embedding(4, outputs)

        def forward(self, observation):
            assert observation["camera"].dtype == torch.uint8
            flat = observation["camera"].flatten(1) / 255.0
            return self.layer(flat) + self.embedding(observation["parts"][0])

    models = {"policy": Camera(2), "value": Camera(1)}
    agent = tools.agent(observation_space=NESTED, models=models)
    before = models["policy"].embedding.weight.detach().clone()
    tools.run(agent, 9)
    assert not torch.equal(models["policy"].embedding.weight, before)


def test_normalisation_with_own_modules_needs_a_box(tools):
    agent = tools.agent(models=linear_models(2), observation_normalization=True)
    tools.run(agent, 9)
    assert agent.state_dict()["scalers"]["observations"]["count"] == 32
    with pytest.raises(ConfigError, match="needs a Box"):
        tools.agent(
            observation_space=NESTED, models=linear_models(2), observation_normalization=True
        )


def test_only_modules_that_may_draw_need_process_wide_streams(tools):
    assert not tools.agent(models=linear_models(2)).uses_global_generators
    dropout = {"policy": nn.Sequential(nn.Dropout(0.1), nn.Linear(3, 2)), "value": nn.Linear(3, 1)}
    assert tools.agent(models=dropout).uses_global_generators
    own = {"policy": Gaussian(2), "value": nn.Linear(3, 1)}
    assert tools.agent(action_space=BOX, models=own).uses_global_generators
    assert PPO.uses_global_generators is False


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"polcy": nn.Linear(3, 2), "value": nn.Linear(3, 1)}, "policy"),
        ({"policy": nn.Linear(3, 2)}, r"models\['value'\] is missing"),
        ({"policy": nn.Linear(3, 2), "value": 3}, "expected a torch.nn.Module, got int"),
        ({"policy": nn.Linear(3, 5), "value": nn.Linear(3, 1)}, r"\(2, 2\), logits of 2 actions"),
        ({"policy": nn.Linear(3, 2), "value": nn.Linear(3, 2)}, r"got \(2, 2\)"),
        ({"policy": nn.Linear(9, 2), "value": nn.Linear(3, 1)}, "failed on a batch of two"),
        (nn.Linear(3, 2), "expected a dict"),
    ],
)
def test_modules_that_do_not_fit_are_refused(tools, models, message):
    with pytest.raises(ConfigError, match=message):
        tools.agent(models=models)


def test_one_module_for_both_is_refused(tools):
    module = nn.Linear(3, 1)
    with pytest.raises(ConfigError, match="give a module each"):
        tools.agent(models={"policy": module, "value": module})


def test_settings_change_while_the_agent_lives(tools):
    agent = tools.agent()
    tools.run(agent, 3)
    agent.reconfigure({"learning_rate": 0.5, "ratio_clip": 0.1, "value_clip": 0.3})
    assert agent.learning_rate == 0.5
    assert agent.cfg.ratio_clip == 0.1
    tools.run(agent, 6, start=3)
    assert agent.metrics()["learning_rate"] == 0.5
    other = tools.agent()
    other.load_state_dict(agent.state_dict())
    assert other.cfg.value_clip == 0.3
    for each in (agent, other):
        tools.run(each, 10, start=9)
    tools.assert_equal_states(agent.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mini_batches": 4}, "mini_batches can't change while the agent lives"),
        ({"learning_rte": 1.0}, "learning_rate"),
        ({"learning_rate": -1.0}, "more than 0"),
    ],
)
def test_wrong_changes_are_refused(tools, settings, message):
    agent = tools.agent()
    with pytest.raises(ConfigError, match=message):
        agent.reconfigure(settings)
    assert agent.cfg == tools.agent().cfg


def test_settings_are_checked_all_at_once():
    with pytest.raises(ConfigError) as caught:
        PPO(
            observation_space=BOX,
            action_space=BOX,
            cfg={"discount_factor": 2.0, "rolouts": 3, "model": {"hidden_sizes": [0]}},
        )
    text = str(caught.value)
    assert "discount_factor = 2.0: expected from 0 to 1" in text
    assert "rollouts" in text
    assert "hidden_sizes" in text


def test_more_mini_batches_than_samples_are_refused(tools):
    with pytest.raises(ConfigError, match="can't be cut into 40 mini-batches"):
        tools.agent(mini_batches=40)


def test_metrics_are_handed_over_once_per_update(tools):
    agent = tools.agent(action_space=BOX)
    tools.run(agent, 7)
    assert agent.metrics() == {}
    tools.run(agent, 1, start=7)
    metrics = agent.metrics()
    names = {"loss/policy", "loss/value", "loss/entropy", "kl", "clip_fraction", "learning_rate"}
    assert names | {"explained_variance", "gradient_norm", "standard_deviation"} <= set(metrics)
    assert all(math.isfinite(value) for value in metrics.values())
    assert agent.metrics() == {}


def test_linear_learning_rate(tools):
    agent = tools.agent(learning_rate=1.0, learning_rate_scheduler="linear")
    tools.run(agent, 8, total=16)
    assert agent.learning_rate == pytest.approx(1 - 7 / 16)


def test_divergence_ends_an_update_early(tools):
    agent = tools.agent(learning_rate=0.1, learning_epochs=20, kl_threshold=0.05)
    free = tools.agent(learning_rate=0.1, learning_epochs=20)
    for each in (agent, free):
        tools.run(each, 8)
    assert agent.state_dict()["optimizer"]["steps"] < 40
    assert free.state_dict()["optimizer"]["steps"] == 40


def test_a_cut_episode_bootstraps_and_ends(tools):
    agent, other = tools.agent(), tools.agent()
    for each in (agent, other):
        tools.run(each, 3)
    other.episodes_cut()
    one, two = (each.state_dict()["rollout"]["memory"]["rows"] for each in (agent, other))
    assert two["truncated"][2].all()
    assert not one["truncated"][2].all()
    assert torch.equal(one["truncated"][:2], two["truncated"][:2])
    fresh = tools.agent()
    fresh.episodes_cut()
    tools.run(fresh, 9)


def test_reset_steps_are_not_learned_from(tools):
    def play(agent, poison):
        for timestep in range(8):
            observations = tools.observe(agent.observation_space, 4, timestep)
            actions = agent.act(observations, timestep=timestep, timesteps=8)
            transition = tools.make_transition(agent, observations, actions, timestep, None)
            reset = (torch.arange(4) + timestep) % 5 == 0
            transition.rewards[reset] = poison
            changes = {"valid": ~reset, "all_valid": False, "rewards": transition.rewards}
            agent.record_transition(
                tools.make_transition(agent, observations, actions, timestep, None, **changes)
            )
            agent.post_interaction(timestep=timestep, timesteps=8)
        return agent.state_dict()

    clean, poisoned = (
        play(tools.agent(observation_normalization=True), poison) for poison in (0.0, 1e9)
    )
    tools.assert_equal_states(clean["networks"], poisoned["networks"])
    tools.assert_equal_states(clean["scalers"], poisoned["scalers"])
    assert clean["scalers"]["observations"]["count"] == 4 * 8 - 6


def test_a_loss_that_is_not_finite_is_named_and_spoils_nothing(tools):
    agent = tools.agent(name="ppo-b", value_normalization=False)
    tools.run(agent, 7)
    before = agent.state_dict()["networks"]
    observations = tools.observe(agent.observation_space, 4, 7)
    actions = agent.act(observations, timestep=7, timesteps=8)
    rewards = torch.tensor([1.0, math.inf, 0.0, 1.0])
    agent.record_transition(
        tools.make_transition(agent, observations, actions, 7, None, rewards=rewards)
    )
    with pytest.raises(FloatingPointError, match=r"agent 'ppo-b': .*loss/policy is nan") as caught:
        agent.post_interaction(timestep=7, timesteps=8)
    assert isinstance(caught.value, NonFiniteLoss)
    assert caught.value.members == (0,)
    tools.assert_equal_states(agent.state_dict()["networks"], before)


def test_acting_before_setup_is_refused():
    agent = PPO(observation_space=BOX, action_space=BOX)
    with pytest.raises(TrainerStateError, match="setup"):
        agent.act(torch.zeros(3, 2))
    assert agent.act(torch.zeros(3, 2), deterministic=True).shape == (3, 2)


def test_it_is_an_agent_that_says_what_it_is(tools):
    agent = tools.agent(seed=3)
    assert isinstance(agent, Agent)
    assert repr(agent) == "<PPO 'ppo' seed=3 cpu>"
